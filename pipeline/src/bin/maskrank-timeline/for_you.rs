//! `for-you`: a ranked timeline, as a list or as JSON.

use std::io::Write;
use std::path::PathBuf;

use maskrank_pipeline::domain::{Cursor, PostId, RequestFacts, UserId};
use maskrank_pipeline::products::TimelineResponse;

use crate::Outcome;
use crate::setup::{self, ModelArguments, World};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Whose timeline; a small world has the viewers 1 to 1000
    #[arg(long, value_name = "ID")]
    viewer: UserId,
    /// The world's folder; without it a small world is generated, whose changes are kept in the cache folder
    #[arg(long, value_name = "DIR")]
    world: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
    /// How many posts
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// The page behind this post: what was served in the last ten minutes does not come again
    #[arg(long, value_name = "ID")]
    older_than: Option<PostId>,
    /// Posts that the viewer has seen, by id
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    seen: Vec<PostId>,
    /// Print JSON
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
        ..RequestFacts::default()
    };
    let response = setup::runtime()?.block_on(async {
        let served = timeline.home.for_you().serve(arguments.viewer, request).await;
        timeline.home.drain().await;
        served
    });
    timeline.world.stores.history.flush()?;
    let (response, _) = response.map_err(|failure| format!("viewer {}: {failure}", arguments.viewer))?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &response)?;
        writeln!(out)?;
    } else {
        list(&mut out, &response)?;
        if arguments.model.model == "seeded" {
            eprintln!(
                "The model's weights are seeded, not trained: the order has no meaning, the funnel around it does."
            );
        }
    }
    Ok(())
}

fn list(out: &mut impl Write, response: &TimelineResponse) -> std::io::Result<()> {
    writeln!(out, "For You of viewer {}: {} posts", response.viewer, response.posts.len())?;
    for (place, post) in response.posts.iter().enumerate() {
        let text: String =
            post.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(80).collect();
        let (name, source) = (&post.author_name, post.source.name());
        writeln!(out, "{:3}. @{name:<16} {text}", place + 1)?;
        writeln!(out, "     {:<12.6} {source}, post {}; {}", post.score, post.id, post.reasons.join(", "))?;
    }
    if !response.missing.is_empty() {
        writeln!(out, "Less than it could be, because these failed: {}", response.missing.join(", "))?;
    }
    Ok(())
}
