//! `for-you`: a ranked timeline, as a list or as JSON.

use std::io::Write;
use std::path::PathBuf;

use maskrank_pipeline::domain::{PostId, TimelineKind, UserId};
use maskrank_pipeline::products::TimelineResponse;
use maskrank_pipeline::timeline::{CursorKind, TimelineRequest};

use crate::setup::{self, ModelArguments, World};
use crate::{Outcome, timelines};

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
    /// A cursor that an earlier page ended or began with
    #[arg(long, value_name = "TEXT")]
    cursor: Option<String>,
    /// Posts that the viewer has seen, by id
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    seen: Vec<PostId>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the whole page, with its conversations, modules and ads; with --json the instructions that a client gets
    #[arg(long)]
    entries: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let request = TimelineRequest {
        cursor: arguments.cursor.clone(),
        seen: arguments.seen.clone(),
        count: arguments.count,
        ..TimelineRequest::new(TimelineKind::ForYou, arguments.viewer)
    };
    if arguments.entries {
        return timelines::show(&arguments.model, arguments.world.as_deref(), request, arguments.json);
    }
    let config = arguments.model.pipeline_config()?;
    let timeline = arguments.model.timeline(World::open(arguments.world.as_deref())?, &config)?;
    let response = setup::runtime()?.block_on(async {
        let answer = timeline.home.answer(request).await;
        timeline.home.drain().await;
        answer
    });
    timeline.world.stores.history.flush()?;
    let page = response?.mixed;
    let response = TimelineResponse::new(&page, &*timeline.world.stores.users);
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &response)?;
        writeln!(out)?;
    } else {
        list(&mut out, &response)?;
        if let Some(next) = page.response.cursor(CursorKind::Bottom) {
            writeln!(out, "\nNext page: --cursor {next}")?;
        }
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
