//! Writing a world's tables.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::columns::Chunk;
use super::error::ImportError;
use super::json_lines;
use super::parquet_write::Writer;
use super::tables::{Ads, Engagements, Lists, Posts, Relations, Table, Ties, Topics, relation_file};
use super::tables_users::{Embeddings, Users};
use crate::domain::stores::{List, Relation, TieStrength};
use crate::domain::{Engagement, User, UserId, ViewerSettings};
use crate::world::rows::{Ad, PostRow, Topic, UserEmbeddingRow, WorldSink};

/// How tables are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileFormat {
    /// Parquet.
    #[default]
    Parquet,
    /// One JSON object a line.
    JsonLines,
}

impl FileFormat {
    /// All formats.
    pub const ALL: [Self; 2] = [Self::Parquet, Self::JsonLines];

    /// The files' extension.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::JsonLines => "jsonl",
        }
    }
}

/// Values after which a chunk is written: a few MiB.
const CHUNK_VALUES: usize = 1 << 20;

/// Rows after which a chunk is written.
const CHUNK_ROWS: usize = 1 << 16;

enum Output {
    Parquet(Box<Writer<BufWriter<File>>>),
    JsonLines(BufWriter<File>),
}

/// Writes one table.
struct TableWriter {
    path: PathBuf,
    chunk: Chunk,
    /// Chunks are cut at this many rows.
    chunk_rows: usize,
    output: Output,
}

impl TableWriter {
    fn create<T: Table>(
        folder: &Path,
        name: &str,
        format: FileFormat,
        width: usize,
    ) -> Result<Self, ImportError> {
        let path = folder.join(format!("{name}.{}", format.extension()));
        let file = File::create(&path).map_err(ImportError::io("create", &path))?;
        let file = BufWriter::with_capacity(1 << 18, file);
        let output = match format {
            FileFormat::Parquet => {
                let writer = Writer::new(file, T::FIELDS).map_err(|error| failed(&path, error))?;
                Output::Parquet(Box::new(writer))
            }
            FileFormat::JsonLines => Output::JsonLines(file),
        };
        let chunk_rows = (CHUNK_VALUES / width.max(1)).clamp(1, CHUNK_ROWS);
        Ok(Self { path, chunk: Chunk::new(T::FIELDS), chunk_rows, output })
    }

    fn put<T: Table>(&mut self, row: &T::Row) -> Result<(), ImportError> {
        T::write(row, &mut self.chunk.push());
        if self.chunk.rows >= self.chunk_rows { self.write_chunk() } else { Ok(()) }
    }

    fn write_chunk(&mut self) -> Result<(), ImportError> {
        if self.chunk.rows > 0 {
            match &mut self.output {
                Output::Parquet(writer) => {
                    writer.write(&self.chunk).map_err(|error| failed(&self.path, error))?
                }
                Output::JsonLines(out) => {
                    json_lines::write(&self.chunk, out).map_err(ImportError::io("write", &self.path))?;
                }
            }
            self.chunk.clear();
        }
        Ok(())
    }

    /// Writes what is left and makes the file durable.
    fn finish(mut self) -> Result<(), ImportError> {
        self.write_chunk()?;
        let out = match self.output {
            Output::Parquet(writer) => writer.finish().map_err(|error| failed(&self.path, error))?,
            Output::JsonLines(out) => out,
        };
        let file = out.into_inner().map_err(|error| error.into_error());
        file.and_then(|file| file.sync_all()).map_err(ImportError::io("write", &self.path))
    }
}

fn failed(path: &Path, error: impl ToString) -> ImportError {
    ImportError::Folder { folder: path.to_owned(), problem: error.to_string() }
}

/// Writes all tables of a world into a folder.
pub struct WorldWriter {
    users: TableWriter,
    relations: Vec<TableWriter>,
    embeddings: TableWriter,
    lists: TableWriter,
    topics: TableWriter,
    posts: TableWriter,
    engagements: TableWriter,
    ties: TableWriter,
    ads: TableWriter,
    folder: PathBuf,
}

impl WorldWriter {
    /// Starts all files in a folder that is there. `embedding_width` sets how many embeddings make a chunk.
    ///
    /// # Errors
    /// A file cannot be made.
    pub fn create(folder: &Path, format: FileFormat, embedding_width: usize) -> Result<Self, ImportError> {
        let relation =
            |relation| TableWriter::create::<Relations>(folder, relation_file(relation), format, 1);
        Ok(Self {
            users: TableWriter::create::<Users>(folder, "users", format, 16)?,
            relations: Relation::ALL.into_iter().map(relation).collect::<Result<_, _>>()?,
            embeddings: TableWriter::create::<Embeddings>(folder, "embeddings", format, 3 * embedding_width)?,
            lists: TableWriter::create::<Lists>(folder, "lists", format, 32)?,
            topics: TableWriter::create::<Topics>(folder, "topics", format, 1)?,
            posts: TableWriter::create::<Posts>(folder, "posts", format, 16)?,
            engagements: TableWriter::create::<Engagements>(folder, "engagements", format, 1)?,
            ties: TableWriter::create::<Ties>(folder, "ties", format, 11)?,
            ads: TableWriter::create::<Ads>(folder, "ads", format, 8)?,
            folder: folder.to_owned(),
        })
    }

    /// Ends all files and makes them durable.
    ///
    /// # Errors
    /// The disk fails.
    pub fn finish(self) -> Result<(), ImportError> {
        let singles = [
            self.users,
            self.embeddings,
            self.lists,
            self.topics,
            self.posts,
            self.engagements,
            self.ties,
            self.ads,
        ];
        singles.into_iter().chain(self.relations).try_for_each(TableWriter::finish)?;
        super::folder::sync_folder(&self.folder)
    }
}

impl WorldSink for WorldWriter {
    type Error = ImportError;

    fn user(&mut self, user: User, settings: ViewerSettings) -> Result<(), ImportError> {
        self.users.put::<Users>(&(user, settings))
    }

    fn relation(&mut self, relation: Relation, from: UserId, to: UserId) -> Result<(), ImportError> {
        self.relations[relation as usize].put::<Relations>(&(from, to))
    }

    fn embeddings(&mut self, row: UserEmbeddingRow) -> Result<(), ImportError> {
        self.embeddings.put::<Embeddings>(&row)
    }

    fn list(&mut self, list: List) -> Result<(), ImportError> {
        self.lists.put::<Lists>(&list)
    }

    fn topic(&mut self, topic: Topic) -> Result<(), ImportError> {
        self.topics.put::<Topics>(&topic)
    }

    fn post(&mut self, row: &PostRow) -> Result<(), ImportError> {
        self.posts.put::<Posts>(row)
    }

    fn engagement(&mut self, engagement: &Engagement) -> Result<(), ImportError> {
        self.engagements.put::<Engagements>(engagement)
    }

    fn tie(&mut self, viewer: UserId, author: UserId, strength: &TieStrength) -> Result<(), ImportError> {
        self.ties.put::<Ties>(&(viewer, author, *strength))
    }

    fn ad(&mut self, ad: Ad) -> Result<(), ImportError> {
        self.ads.put::<Ads>(&ad)
    }
}
