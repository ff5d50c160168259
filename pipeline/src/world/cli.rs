//! The `world` subcommand: generate a world, import one.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, Subcommand, ValueEnum};

use super::{FileFormat, ImportError, Manifest, World, WorldConfig, default_folder, generate, import};
use crate::domain::Millis;
use crate::stores::StoreOptions;

/// What to do with a world.
#[derive(Clone, Debug, Subcommand)]
pub enum WorldCommand {
    /// Generate a world: users in communities, follows, posts, engagements, lists, ads.
    Generate(GenerateArgs),
    /// Import a world from files, after checking every row and reference.
    Import(ImportArgs),
    /// Print the tables of a world's files as Markdown.
    Formats,
}

/// How tables are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FormatArg {
    /// Parquet.
    Parquet,
    /// One JSON object a line.
    Jsonl,
}

/// Arguments of `world generate`.
#[derive(Clone, Debug, Args)]
pub struct GenerateArgs {
    /// Folder of the world [default: the one that is used without --world]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Number of users; their ids count from 1
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=5_000_000))]
    pub users: u32,
    /// Number of posts [default: ten for each user]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    pub posts: Option<u32>,
    /// What everything random comes from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The world's present, in milliseconds since 1970
    #[arg(long, value_name = "MS")]
    pub now: Option<i64>,
    /// How many days before that the first post was written
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=40))]
    pub days: u32,
    /// Format of the tables
    #[arg(long, value_enum, default_value = "parquet")]
    pub format: FormatArg,
}

/// Arguments of `world import`.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// Folder with the tables, NAME.parquet or NAME.jsonl
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// Folder of the world; what had been written to a world that is there stays
    #[arg(long, value_name = "DIR")]
    pub world: PathBuf,
    /// Let the world stand still at this moment, in milliseconds since 1970, instead of living in the machine's time
    #[arg(long, value_name = "MS")]
    pub now: Option<i64>,
}

/// Runs the subcommand and says on `out` what was done.
///
/// # Errors
/// A file cannot be read or written, or a row is not acceptable.
pub fn run(command: WorldCommand, out: &mut dyn Write) -> Result<(), ImportError> {
    let say = |out: &mut dyn Write, line: String| {
        writeln!(out, "{line}").map_err(|source| ImportError::Io {
            operation: "write to",
            path: PathBuf::from("standard output"),
            source,
        })
    };
    let started = Instant::now();
    match command {
        WorldCommand::Formats => say(out, super::describe()),
        WorldCommand::Generate(args) => {
            let folder = args.out.unwrap_or_else(default_folder);
            let posts = args.posts.unwrap_or(args.users.saturating_mul(10));
            let mut config = WorldConfig::sized(args.users, posts);
            (config.seed, config.days) = (args.seed, args.days);
            config.now = args.now.map_or(config.now, Millis);
            let format = match args.format {
                FormatArg::Parquet => FileFormat::Parquet,
                FormatArg::Jsonl => FileFormat::JsonLines,
            };
            generate(&folder, config, format)?;
            let took = started.elapsed().as_secs_f64();
            say(out, format!("{}: {} users, {posts} posts, {took:.1} s", folder.display(), args.users))
        }
        WorldCommand::Import(args) => {
            let manifest: Manifest = import(&args.from, &args.world, args.now.map(Millis))?;
            // Opening also shows that what was written before fits on top.
            let world = World::open(&args.world, StoreOptions::default())?;
            let (users, posts) = world.stores.sizes();
            let took = started.elapsed().as_secs_f64();
            let (folder, tables) = (args.world.display(), manifest.tables);
            say(out, format!("{folder} ({tables}): {users} users, {posts} posts, {took:.1} s"))
        }
    }
}
