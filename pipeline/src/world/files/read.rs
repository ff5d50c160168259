//! Reading a world's tables, with every check on the way.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::columns::Chunk;
use super::error::ImportError;
use super::tables::{Ads, Engagements, Lists, Posts, Relations, Table, Ties, Topics, relation_file};
use super::tables_users::{Embeddings, Users};
use super::write::FileFormat;
use super::{json_lines, parquet_read};
use crate::domain::Millis;
use crate::domain::stores::Relation;
use crate::stores::RowProblem;
use crate::world::LoadedWorld;
use crate::world::rows::WorldSink;

/// Rows that are read at a time.
const CHUNK_ROWS: usize = 8_192;

/// Reads all tables in a folder and checks them: every value, every reference, every key. Nothing is kept of a world
/// with a bad row. `now` is the world's present.
///
/// # Errors
/// A file cannot be read, or a row is not acceptable; the first one is reported.
pub fn load(folder: &Path, now: Millis) -> Result<LoadedWorld, ImportError> {
    let mut world = LoadedWorld::new(now);
    let users = read_table::<Users>(folder, "users", |_, (user, settings)| world.user(user, settings))?;
    if users.is_none() {
        let problem = "there is neither users.parquet nor users.jsonl".to_owned();
        return Err(ImportError::Folder { folder: folder.to_owned(), problem });
    }
    for relation in Relation::ALL {
        let name = relation_file(relation);
        let file = read_table::<Relations>(folder, name, |_, (from, to)| world.relation(relation, from, to))?;
        if let (Some(file), Err(problem)) = (file, world.base.check_relation(relation)) {
            return Err(ImportError::format(&file, None, problem));
        }
    }
    read_table::<Embeddings>(folder, "embeddings", |_, row| world.embeddings(row))?;
    read_table::<Lists>(folder, "lists", |_, list| world.list(list))?;
    read_table::<Topics>(folder, "topics", |_, topic| world.topic(topic))?;
    let mut numbers = RowNumbers::default();
    let posts = read_table::<Posts>(folder, "posts", |row, post| {
        numbers.note(row);
        world.post(&post)
    })?;
    if let (Some(file), Err((position, problem))) = (posts, world.base.check_posts()) {
        return Err(ImportError::Row { file, row: numbers.at(position), problem });
    }
    read_table::<Engagements>(folder, "engagements", |_, event| world.engagement(&event))?;
    read_table::<Ties>(folder, "ties", |_, (viewer, author, tie)| world.tie(viewer, author, &tie))?;
    read_table::<Ads>(folder, "ads", |_, ad| world.ad(ad))?;
    Ok(world)
}

/// Row numbers by position: blank lines have a number, but no position.
#[derive(Default)]
struct RowNumbers {
    next: u64,
    /// (first position, what to add to it), where the latter changes.
    shifts: Vec<(u64, u64)>,
}

impl RowNumbers {
    fn note(&mut self, row: u64) {
        let shift = row - self.next;
        if self.shifts.last().is_none_or(|last| last.1 != shift) {
            self.shifts.push((self.next, shift));
        }
        self.next += 1;
    }

    fn at(&self, position: u64) -> u64 {
        let after = self.shifts.partition_point(|(first, _)| *first <= position);
        position + after.checked_sub(1).map_or(1, |index| self.shifts[index].1)
    }
}

/// The file of a table, and its format.
fn find(folder: &Path, name: &str) -> Result<Option<(PathBuf, FileFormat)>, ImportError> {
    let mut found = FileFormat::ALL
        .into_iter()
        .map(|format| (folder.join(format!("{name}.{}", format.extension())), format))
        .filter(|(path, _)| path.exists());
    let first = found.next();
    if found.next().is_some() {
        let problem = format!("there are both {name}.parquet and {name}.jsonl");
        return Err(ImportError::Folder { folder: folder.to_owned(), problem });
    }
    Ok(first)
}

/// Reads a table, if there is a file of it. Returns the file's name.
fn read_table<T: Table>(
    folder: &Path,
    name: &str,
    mut take: impl FnMut(u64, T::Row) -> Result<(), RowProblem>,
) -> Result<Option<String>, ImportError> {
    let Some((path, format)) = find(folder, name)? else { return Ok(None) };
    let file = format!("{name}.{}", format.extension());
    let input = File::open(&path).map_err(ImportError::io("open", &path))?;
    let take_chunk = |first_row: u64, chunk: &Chunk| {
        for position in 0..chunk.rows {
            let row = first_row + position as u64;
            T::read(&mut chunk.row(position))
                .and_then(|value| take(row, value))
                .map_err(|problem| ImportError::Row { file: file.clone(), row, problem })?;
        }
        Ok(())
    };
    match format {
        FileFormat::Parquet => parquet_read::read(&file, input, T::FIELDS, CHUNK_ROWS, take_chunk)?,
        FileFormat::JsonLines => {
            let input = BufReader::with_capacity(1 << 18, input);
            json_lines::read(&file, input, T::FIELDS, CHUNK_ROWS, take_chunk)?;
        }
    }
    Ok(Some(file))
}
