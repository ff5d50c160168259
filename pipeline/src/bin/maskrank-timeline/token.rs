//! `token`: a bearer token for a viewer.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use maskrank_pipeline::domain::{Clock, SystemClock, UserId};
use maskrank_pipeline::sealed::Key;
use maskrank_pipeline::service::Tokens;

use crate::Outcome;
use crate::serve::key_path;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Whom the token names
    #[arg(long, value_name = "ID")]
    viewer: UserId,
    /// For how many days it holds
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3650))]
    days: u64,
    /// The world's folder, whose key the service uses; without it the small world's
    #[arg(long, value_name = "DIR")]
    world: Option<PathBuf>,
    /// The key's file, when the service was started with another than the world's
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let path = key_path(arguments.key.as_deref(), arguments.world.as_deref());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let tokens = Tokens::new(Key::open_or_create(&path)?);
    let lifetime = Duration::from_secs(arguments.days * 24 * 3600);
    let token = tokens.mint(arguments.viewer, SystemClock::default().now(), lifetime);
    writeln!(std::io::stdout().lock(), "{token}")?;
    Ok(())
}
