//! `explain`: why a post is, or is not, in a viewer's timeline.

use std::io::Write;
use std::path::PathBuf;

use maskrank_pipeline::domain::{Cursor, PostId, RequestFacts, UserId};

use crate::Outcome;
use crate::client::ClientArguments;
use crate::setup::{self, ModelArguments, World};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Whose timeline; a small world has the viewers 1 to 1000
    #[arg(long, value_name = "ID")]
    viewer: UserId,
    /// Which post
    #[arg(long, value_name = "ID")]
    post: PostId,
    /// The world's folder; without it the small world
    #[arg(long, value_name = "DIR")]
    world: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    client: ClientArguments,
    /// How many posts the timeline has
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// The page behind this post
    #[arg(long, value_name = "ID")]
    older_than: Option<PostId>,
    /// Posts that the viewer has seen, by id
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    seen: Vec<PostId>,
    /// Print JSON, with every feature
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let config = arguments.model.pipeline_config()?;
    let timeline = arguments.model.timeline(World::open(arguments.world.as_deref())?, &config)?;
    let request = RequestFacts {
        cursor: arguments.older_than.map(|oldest| Cursor::Bottom { oldest }),
        seen: arguments.seen.clone(),
        max_results: arguments.count,
        ..arguments.client.facts()
    };
    let explained = timeline.home.for_you().explain(arguments.viewer, request, arguments.post);
    let explanation = setup::runtime()?.block_on(explained);
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &explanation)?;
        writeln!(out)?;
    } else {
        write!(out, "{explanation}")?;
    }
    Ok(())
}
