//! The journal's tables, and how they are replayed over what was loaded.
//!
//! Each table holds the newest state of what was written, not the writes: a relation that changed ten times is one row.
//! Values are JSON, so that a later version of the domain types reads what an earlier one wrote; engagements, of which
//! there are many, are bytes ([`super::events`]).

use std::collections::BTreeSet;
use std::path::Path;

use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction,
    backends::InMemoryBackend,
};
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};

use super::events::{ENGAGEMENTS, engagement};
use super::folded::FOLDED;
use super::said::{DISMISSALS, FEEDBACK, Said};
use super::{Write, events, folded, said};
use crate::domain::stores::Relation;
use crate::domain::{Engagement, IdMap, Post, PostId, UserId};
use crate::stores::history;
use crate::stores::memory::{Memory, Recorded, Swept};
use crate::stores::posts::Posts;

pub(super) type Json = &'static [u8];

pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
const USERS: TableDefinition<u64, Json> = TableDefinition::new("users");
const SETTINGS: TableDefinition<u64, Json> = TableDefinition::new("settings");
/// (relation, from, to) → whether it holds.
const RELATIONS: TableDefinition<(u8, u64, u64), bool> = TableDefinition::new("relations");
/// An empty value is a deleted post.
const POSTS: TableDefinition<u64, Json> = TableDefinition::new("posts");
/// Old version → the next one.
const VERSIONS: TableDefinition<u64, u64> = TableDefinition::new("versions");
/// sequence → (user, post, author, kind, at, whether the post was there and counted it): as journals of the first
/// layout had it. Read, never written.
pub(super) const PLAIN_ENGAGEMENTS: TableDefinition<u64, (u64, u64, u64, u8, i64, bool)> =
    TableDefinition::new("engagements");
const LISTS: TableDefinition<u64, Json> = TableDefinition::new("lists");
/// (viewer, sequence) → entry.
const HISTORY: TableDefinition<(u64, u64), Json> = TableDefinition::new("history");

/// Version of the tables' layout. In the one before, each engagement had a row of its own.
const LAYOUT: u64 = 2;

/// Memory for the database's pages. The stores answer from their own memory, so this only has to hold what a group of
/// writes touches.
const CACHE_BYTES: usize = 16 << 20;

/// Why a write did not get into the transaction.
pub(super) enum Rejection {
    /// It contradicts what is stored.
    Refused(String),
    /// The database failed.
    Failed(String),
}

impl<E: Into<redb::Error>> From<E> for Rejection {
    fn from(error: E) -> Self {
        Self::Failed(error.into().to_string())
    }
}

pub(super) fn text(error: impl Into<redb::Error>) -> String {
    error.into().to_string()
}

/// The database.
pub(super) struct Tables {
    database: Database,
}

impl Tables {
    /// Opens the database, or makes it with all its tables.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, String> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES);
        let database = match path {
            Some(path) => {
                builder.create(path).map_err(|error| format!("{}: {}", path.display(), text(error)))?
            }
            None => builder.create_with_backend(InMemoryBackend::new()).map_err(text)?,
        };
        let tables = Self { database };
        tables.prepare()?;
        Ok(tables)
    }

    /// Makes all tables and checks the layout's version.
    fn prepare(&self) -> Result<(), String> {
        let transaction = self.database.begin_write().map_err(text)?;
        {
            let mut meta = transaction.open_table(META).map_err(text)?;
            let found = meta.get("layout").map_err(text)?.map(|value| value.value());
            match found {
                Some(LAYOUT) => {}
                None => _ = meta.insert("layout", LAYOUT).map_err(text)?,
                Some(1) => {
                    let through = folded::through(&meta).map_err(text)?;
                    events::group_single(&transaction, through).map_err(text)?;
                    meta.insert("layout", LAYOUT).map_err(text)?;
                }
                Some(other) => return Err(format!("layout {other} is not known, expected {LAYOUT}")),
            }
            for table in [USERS, SETTINGS, POSTS, LISTS, FEEDBACK, DISMISSALS] {
                transaction.open_table(table).map_err(text)?;
            }
            transaction.open_table(VERSIONS).map_err(text)?;
            transaction.open_table(RELATIONS).map_err(text)?;
            transaction.open_table(PLAIN_ENGAGEMENTS).map_err(text)?;
            transaction.open_table(ENGAGEMENTS).map_err(text)?;
            transaction.open_table(HISTORY).map_err(text)?;
            transaction.open_table(FOLDED).map_err(text)?;
        }
        transaction.commit().map_err(text)
    }

    /// Runs `fill` in one transaction and makes it durable; nothing is written when either fails.
    pub(super) fn write(
        &self,
        fill: impl FnOnce(&mut Transaction<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut transaction = self.database.begin_write().map_err(text)?;
        transaction.set_durability(Durability::Immediate).map_err(text)?;
        let mut writes = Transaction::new(&transaction);
        fill(&mut writes)?;
        writes.finish().map_err(text)?;
        transaction.commit().map_err(text)
    }

    /// Deletes what has outlived its retention.
    pub(super) fn sweep(&self, swept: &Swept, memory: &Memory) -> Result<(), String> {
        let horizon = memory.post_horizon();
        let gone = swept.posts.as_slice();
        self.write(|transaction| {
            let transaction = transaction.inner;
            let mut posts = transaction.open_table(POSTS).map_err(text)?;
            for post in gone {
                posts.remove(post.0).map_err(text)?;
            }
            folded::forget(transaction, gone).map_err(text)?;
            let mut versions = transaction.open_table(VERSIONS).map_err(text)?;
            versions.retain(|old, _| PostId(old).made_at() >= horizon).map_err(text)?;
            // Of a deleted post only its id is left to tell its age.
            posts.retain(|id, value| !value.is_empty() || PostId(id).made_at() >= horizon).map_err(text)?;
            said::sweep(transaction, memory)?;
            let mut history = transaction.open_table(HISTORY).map_err(text)?;
            for (viewer, sequence) in &swept.history {
                history.remove((viewer.0, *sequence)).map_err(text)?;
            }
            Ok(())
        })
    }

    /// How many engagements have not been folded.
    pub(super) fn unfolded(&self) -> Result<usize, String> {
        let transaction = self.database.begin_read().map_err(text)?;
        folded::unfolded(&transaction)
    }

    /// Writes what all engagements so far add up to, and what `givers` gave, and deletes those that the graph does not
    /// need.
    pub(super) fn fold(&self, memory: &Memory, givers: &BTreeSet<UserId>) -> Result<(), String> {
        self.write(|transaction| folded::fold(transaction.inner, memory, givers))
    }

    /// Brings `memory`, which holds what was loaded, up to date.
    #[allow(clippy::redundant_closure_call, reason = "the closure catches `?` inside a row's own step")]
    pub(super) fn replay(&self, memory: &Memory) -> Result<(), String> {
        let transaction = self.database.begin_read().map_err(text)?;
        macro_rules! each {
            ($table:expr, $name:literal, |$key:ident, $value:ident| $apply:expr) => {
                for row in transaction.open_table($table).map_err(text)?.iter().map_err(text)? {
                    let (key, value) = row.map_err(text)?;
                    let ($key, $value) = (key.value(), value.value());
                    let apply = || -> Result<(), serde_json::Error> {
                        $apply;
                        Ok(())
                    };
                    apply().map_err(|error| format!("table {} row {:?}: {error}", $name, $key))?;
                }
            };
        }
        each!(USERS, "users", |key, value| memory.put_user(from_json(value)?));
        each!(SETTINGS, "settings", |key, value| {
            memory.apply(Write::PutSettings(UserId(key), from_json(value)?))
        });
        each!(RELATIONS, "relations", |key, holds| {
            if let Some(relation) = Relation::ALL.get(usize::from(key.0)) {
                memory.set_relation(*relation, UserId(key.1), UserId(key.2), holds);
            }
        });
        each!(POSTS, "posts", |key, value| {
            if value.is_empty() {
                memory.forget_post(PostId(key));
            } else {
                memory.apply(Write::InsertPost(from_json(value)?));
            }
        });
        each!(VERSIONS, "versions", |old, new| {
            // Chains of versions are followed to their end, so they must have one.
            if new <= old {
                return Err(serde_json::Error::custom(format!("version {new} is not newer")));
            }
            memory.versions.insert(old, new)
        });
        each!(LISTS, "lists", |key, value| memory.lists.put(from_json(value)?));
        let folded = folded::restore(&transaction, memory)?;
        each!(PLAIN_ENGAGEMENTS, "engagements", |key, value| {
            let (user, post, author, kind, at, is_counted) = value;
            let Some(engagement) = engagement(user, post, author, kind, at) else { return Ok(()) };
            if folded.plain {
                memory.record_edges(std::iter::once(engagement));
            } else {
                let traits = memory.traits(&engagement);
                memory.record(&[Recorded { engagement, traits, is_counted }]);
            }
        });
        for row in transaction.open_table(ENGAGEMENTS).map_err(text)?.iter().map_err(text)? {
            let (first, row) = row.map_err(text)?;
            let recorded = events::read(first.value(), row.value())?;
            if first.value() < folded.through {
                memory.record_edges(recorded.map(|one| one.engagement));
            } else {
                memory.record(&recorded.collect::<Vec<_>>());
            }
        }
        each!(FEEDBACK, "feedback", |key, value| {
            let Said { what, is_withdrawn } = from_json(value)?;
            memory.apply(if is_withdrawn { Write::WithdrawFeedback(what) } else { Write::Feedback(what) })
        });
        each!(DISMISSALS, "dismissals", |key, value| {
            let Said { what, is_withdrawn } = from_json(value)?;
            memory.apply(if is_withdrawn { Write::WithdrawDismissal(what) } else { Write::Dismissal(what) })
        });
        each!(HISTORY, "history", |key, value| {
            memory.history.restore(UserId(key.0), key.1, from_json::<history::Entry>(value)?);
        });
        Ok(())
    }
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes)
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, Rejection> {
    serde_json::to_vec(value).map_err(|error| Rejection::Failed(error.to_string()))
}

/// A transaction that takes writes.
pub(super) struct Transaction<'a> {
    inner: &'a WriteTransaction,
    /// Posts that it adds, or takes away.
    posts: IdMap<PostId, bool>,
    /// Its engagements, as one row.
    engagements: Vec<u8>,
}

impl<'a> Transaction<'a> {
    fn new(inner: &'a WriteTransaction) -> Self {
        Self { inner, posts: IdMap::default(), engagements: Vec::new() }
    }

    /// Puts in what was collected.
    fn finish(self) -> Result<(), redb::Error> {
        if self.engagements.is_empty() {
            return Ok(());
        }
        let mut table = self.inner.open_table(ENGAGEMENTS)?;
        // Numbers of engagements that were folded and are gone are not given again.
        let first = events::end(&table)?.max(folded::through(&self.inner.open_table(META)?)?);
        table.insert(first, self.engagements.as_slice())?;
        Ok(())
    }

    /// Puts a write into the transaction. What was put before it counts as stored.
    pub(super) fn put(&mut self, write: &Write, memory: &Memory) -> Result<(), Rejection> {
        match write {
            Write::Relation { relation, from, to, holds } => {
                if from == to {
                    return Err(Rejection::Refused(format!("user {from} can not relate to itself")));
                }
                self.require_user(*from, memory)?;
                self.require_user(*to, memory)?;
                let mut table = self.inner.open_table(RELATIONS)?;
                if *relation == Relation::Block && *holds {
                    table.insert((Relation::Follow as u8, from.0, to.0), false)?;
                    table.insert((Relation::Follow as u8, to.0, from.0), false)?;
                }
                table.insert((*relation as u8, from.0, to.0), *holds)?;
            }
            Write::InsertPost(post) => {
                let mut table = self.inner.open_table(POSTS)?;
                let is_taken = memory.posts.contains(post.id) || table.get(post.id.0)?.is_some();
                if is_taken {
                    return Err(Rejection::Refused(format!("id {} is taken", post.id)));
                }
                table.insert(post.id.0, to_json(post)?.as_slice())?;
                self.posts.insert(post.id, true);
            }
            Write::DeletePost(id) => {
                self.inner.open_table(POSTS)?.insert(id.0, [].as_slice())?;
                self.posts.insert(*id, false);
            }
            Write::EditPost { old, new } => {
                let mut posts = self.inner.open_table(POSTS)?;
                let written = posts.get(old.0)?.map(|value| value.value().to_vec());
                let was = match written {
                    Some(value) if value.is_empty() => None,
                    Some(value) => serde_json::from_slice(&value).ok(),
                    None => memory.posts.get(*old, memory.post_horizon()).map(|(post, _)| Post::clone(&post)),
                };
                let Some(was) = was else {
                    return Err(Rejection::Refused(format!("there is no post {old}")));
                };
                if was.is_repost() || was.author != new.author || new.is_repost() {
                    let problem =
                        format!("post {old} cannot become {}: its author's own words are edited", new.id);
                    return Err(Rejection::Refused(problem));
                }
                if new.id <= *old || memory.posts.contains(new.id) || posts.get(new.id.0)?.is_some() {
                    return Err(Rejection::Refused(format!("id {} is taken or older than {old}", new.id)));
                }
                posts.insert(old.0, [].as_slice())?;
                posts.insert(new.id.0, to_json(new)?.as_slice())?;
                self.inner.open_table(VERSIONS)?.insert(old.0, new.id.0)?;
                self.posts.extend([(*old, false), (new.id, true)]);
            }
            Write::PutUser(user) => {
                self.inner.open_table(USERS)?.insert(user.id.0, to_json(user)?.as_slice())?;
            }
            Write::PutSettings(id, settings) => {
                self.require_user(*id, memory)?;
                self.inner.open_table(SETTINGS)?.insert(id.0, to_json(settings)?.as_slice())?;
            }
            Write::Engagements(engagements) => {
                self.engagements.reserve(engagements.len() * events::BYTES);
                for recorded in engagements {
                    let Engagement { post, kind, .. } = recorded.engagement;
                    // A replay sees all posts before all engagements: it must not count what came before its post.
                    let here = || self.posts.get(&post).copied();
                    let is_counted =
                        Posts::counts(kind) && here().unwrap_or_else(|| memory.posts.contains(post));
                    events::write(&Recorded { is_counted, ..*recorded }, &mut self.engagements);
                }
            }
            Write::PutList(list) => {
                self.inner.open_table(LISTS)?.insert(list.id.0, to_json(list)?.as_slice())?;
            }
            Write::Feedback(what) => self.append(FEEDBACK, &Said { what, is_withdrawn: false })?,
            Write::WithdrawFeedback(what) => self.append(FEEDBACK, &Said { what, is_withdrawn: true })?,
            Write::Dismissal(what) => self.append(DISMISSALS, &Said { what, is_withdrawn: false })?,
            Write::WithdrawDismissal(what) => self.append(DISMISSALS, &Said { what, is_withdrawn: true })?,
            Write::History { viewer, sequence, entry, dropped } => {
                let mut table = self.inner.open_table(HISTORY)?;
                table.insert((viewer.0, *sequence), to_json(entry)?.as_slice())?;
                for old in dropped {
                    table.remove((viewer.0, *old))?;
                }
            }
            Write::Sweep | Write::Flush => {}
        }
        Ok(())
    }

    /// Puts a row behind all others.
    fn append(&self, table: TableDefinition<u64, Json>, row: &impl Serialize) -> Result<(), Rejection> {
        let mut table = self.inner.open_table(table)?;
        let sequence = next_sequence(&table)?;
        table.insert(sequence, to_json(row)?.as_slice())?;
        Ok(())
    }

    fn require_user(&self, user: UserId, memory: &Memory) -> Result<(), Rejection> {
        if memory.accounts.contains(&user.0) || self.inner.open_table(USERS)?.get(user.0)?.is_some() {
            return Ok(());
        }
        Err(Rejection::Refused(format!("user {user} does not exist")))
    }
}

/// One more than the largest key.
fn next_sequence<V: redb::Value + 'static>(table: &Table<'_, u64, V>) -> Result<u64, Rejection> {
    Ok(table.last()?.map_or(0, |(key, _)| key.value() + 1))
}
