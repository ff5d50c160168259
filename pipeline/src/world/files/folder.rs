//! A world's folder.
//!
//! ```text
//! world.json     the manifest: which tables count, and the world's present
//! tables-1/      the tables that were generated or imported
//! state.redb     what was written since, by the stores
//! ```
//!
//! New tables are written and checked in a folder beside the old ones. Only the manifest, replaced in one step, makes
//! them count: a crash, a full disk or a bad row before leaves the world as it was. What was written since stays and is
//! replayed over the new tables.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::ImportError;
use super::read::load;
use super::write::{FileFormat, WorldWriter};
use crate::domain::stores::StoreError;
use crate::domain::{Clock, ManualClock, Millis, SystemClock};
use crate::stores::{Embedded, StoreOptions};
use crate::world::{Ad, Generator, Topic, WorldConfig};

/// Version of the folder's layout and of the tables.
const VERSION: u32 = 1;

const MANIFEST: &str = "world.json";

/// What a world's folder says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the layout.
    pub version: u32,
    /// The folder of the tables.
    pub tables: String,
    /// The world's present, for a world that stands still; one without lives in the machine's time.
    pub now: Option<Millis>,
    /// What the world was generated from.
    #[serde(default)]
    pub generated: Option<WorldConfig>,
}

impl Manifest {
    /// Reads a world's manifest; none when there is no world.
    ///
    /// # Errors
    /// It cannot be read, or is of a version that is not known.
    pub fn read(folder: &Path) -> Result<Option<Self>, ImportError> {
        let path = folder.join(MANIFEST);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ImportError::io("read", &path)(error)),
        };
        let manifest: Self =
            serde_json::from_str(&text).map_err(|error| ImportError::format(MANIFEST, None, error))?;
        if manifest.version != VERSION {
            let problem = format!("version {} is not known, expected {VERSION}", manifest.version);
            return Err(ImportError::format(MANIFEST, None, problem));
        }
        // The name becomes a path: it must not lead out of the folder.
        let is_plain = manifest.tables.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !is_plain || manifest.tables.is_empty() {
            let problem =
                format!("\"tables\" is {:?}, expected letters, digits and hyphens", manifest.tables);
            return Err(ImportError::format(MANIFEST, None, problem));
        }
        Ok(Some(manifest))
    }

    /// The manifest of a world that is to be there.
    ///
    /// # Errors
    /// There is none, or it does not read.
    pub fn of(folder: &Path) -> Result<Self, ImportError> {
        Self::read(folder)?.ok_or_else(|| {
            let problem = format!("there is no world: {MANIFEST} is missing");
            ImportError::Folder { folder: folder.to_owned(), problem }
        })
    }

    /// Replaces a world's manifest in one step.
    fn write(&self, folder: &Path) -> Result<(), ImportError> {
        let path = folder.join(MANIFEST);
        let draft = folder.join("world.json.new");
        let text =
            serde_json::to_string_pretty(self).map_err(|error| ImportError::format(MANIFEST, None, error))?;
        let write = || {
            let mut file = File::create(&draft)?;
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        };
        write().map_err(ImportError::io("write", &path))?;
        sync_folder(folder)
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), ImportError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(ImportError::io("sync", folder))
}

/// Tables that are being written beside those that count; gone again unless they come to count.
struct Draft {
    world: PathBuf,
    name: String,
    is_kept: bool,
}

impl Draft {
    fn new(world: &Path) -> Result<Self, ImportError> {
        fs::create_dir_all(world).map_err(ImportError::io("create", world))?;
        for number in 1_u32.. {
            let name = format!("tables-{number}");
            match fs::create_dir(world.join(&name)) {
                Ok(()) => return Ok(Self { world: world.to_owned(), name, is_kept: false }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(ImportError::io("create", &world.join(&name))(error)),
            }
        }
        let problem = "there are too many folders of tables".to_owned();
        Err(ImportError::Folder { folder: world.to_owned(), problem })
    }

    fn path(&self) -> PathBuf {
        self.world.join(&self.name)
    }

    /// Makes the tables count, and removes those that did.
    fn keep(mut self, now: Option<Millis>, generated: Option<WorldConfig>) -> Result<Manifest, ImportError> {
        let before = Manifest::read(&self.world).ok().flatten();
        let manifest = Manifest { version: VERSION, tables: self.name.clone(), now, generated };
        manifest.write(&self.world)?;
        self.is_kept = true;
        if let Some(before) = before {
            // They do not count any more; that they take space is no reason to fail.
            _ = fs::remove_dir_all(self.world.join(before.tables));
        }
        Ok(manifest)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_kept {
            // Whatever stays behind is in nobody's way.
            _ = fs::remove_dir_all(self.path());
        }
    }
}

/// Generates a world into a folder. What had been written to a world that was there stays.
///
/// # Errors
/// The disk fails.
pub fn generate(folder: &Path, config: WorldConfig, format: FileFormat) -> Result<Manifest, ImportError> {
    let draft = Draft::new(folder)?;
    let mut writer = WorldWriter::create(&draft.path(), format, config.embedding_width as usize)?;
    Generator::new(config.clone()).write(&mut writer)?;
    writer.finish()?;
    draft.keep(Some(config.now), Some(config))
}

/// Imports the tables in `from` into a world's folder, after checking them all. `now` is the present of a world that
/// is to stand still.
///
/// # Errors
/// A file cannot be read or a row is not acceptable: the world then is as it was before.
pub fn import(from: &Path, folder: &Path, now: Option<Millis>) -> Result<Manifest, ImportError> {
    let draft = Draft::new(folder)?;
    for entry in fs::read_dir(from).map_err(ImportError::io("list", from))? {
        let path = entry.map_err(ImportError::io("list", from))?.path();
        let is_table = FileFormat::ALL
            .into_iter()
            .any(|format| path.extension().is_some_and(|extension| extension == format.extension()));
        let (true, Some(name)) = (is_table, path.file_name()) else { continue };
        // The copy is what is checked: the original may change in the meantime.
        let copy = draft.path().join(name);
        fs::copy(&path, &copy).map_err(ImportError::io("copy", &path))?;
        File::open(&copy).and_then(|file| file.sync_all()).map_err(ImportError::io("sync", &copy))?;
    }
    load(&draft.path(), present(now))?;
    sync_folder(&draft.path())?;
    draft.keep(now, None)
}

/// The given present, or the machine's.
fn present(now: Option<Millis>) -> Millis {
    now.unwrap_or_else(|| SystemClock::default().now())
}

/// An opened world.
pub struct World {
    /// The stores.
    pub stores: Arc<Embedded>,
    /// The world's clock: standing still, or the machine's.
    pub clock: Arc<dyn Clock>,
    /// Topics.
    pub topics: Vec<Topic>,
    /// Ads.
    pub ads: Vec<Ad>,
}

impl World {
    /// Opens a world: loads its tables and replays what was written since.
    ///
    /// # Errors
    /// There is no world, it does not read, or another process has it open.
    pub fn open(folder: &Path, options: StoreOptions) -> Result<Self, ImportError> {
        let clock: Arc<dyn Clock> = match Manifest::of(folder)?.now {
            Some(now) => Arc::new(ManualClock::new(now)),
            None => Arc::new(SystemClock::default()),
        };
        Self::open_with(folder, options, clock)
    }

    /// Opens a world under another clock than its own.
    ///
    /// # Errors
    /// As [`World::open`].
    pub fn open_with(
        folder: &Path,
        options: StoreOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ImportError> {
        let manifest = Manifest::of(folder)?;
        let loaded = load(&folder.join(&manifest.tables), clock.now())?;
        let journal = folder.join("state.redb");
        let stores = Embedded::open(loaded.base, &journal, Arc::clone(&clock), options)
            .map_err(|error: StoreError| ImportError::Stores(error))?;
        Ok(Self { stores: Arc::new(stores), clock, topics: loaded.topics, ads: loaded.ads })
    }

    /// Opens the default world: 1,000 users and 10,000 posts, generated into the user's cache folder on first use.
    ///
    /// # Errors
    /// The folder cannot be written, or the world there does not open.
    pub fn open_default(options: StoreOptions) -> Result<Self, ImportError> {
        Self::open(&default_world()?, options)
    }
}

/// The default world's folder; the world is generated when it is not there.
///
/// # Errors
/// The folder cannot be written, or holds what is no world.
pub fn default_world() -> Result<PathBuf, ImportError> {
    let folder = default_folder();
    if Manifest::read(&folder)?.is_none() {
        generate(&folder, WorldConfig::default(), FileFormat::Parquet)?;
    }
    Ok(folder)
}

/// Where the default world lies: under `MASKRANK_CACHE`, else under the system's cache folder for the user.
pub fn default_folder() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = variable("MASKRANK_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("maskrank")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache").join("maskrank")))
        .or_else(|| variable("LOCALAPPDATA").map(|local| local.join("maskrank").join("cache")))
        .unwrap_or_else(|| std::env::temp_dir().join("maskrank"));
    cache.join(format!("small-world-{VERSION}"))
}
