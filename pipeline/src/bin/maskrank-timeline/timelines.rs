//! `following`, `list`, `subscribed` and `for-you --entries`: one page of a timeline, as a reader or as a client sees it.

use std::io::Write;
use std::path::PathBuf;

use maskrank_pipeline::domain::{DeviceContext, ListId, TimelineKind, UserId};
use maskrank_pipeline::timeline::{
    Content, CursorKind, Entry, Instruction, ItemContent, PostItem, Timeline, TimelineRequest,
};

use crate::Outcome;
use crate::setup::{self, ModelArguments, World};

/// What all timelines take.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Whose timeline; a small world has the viewers 1 to 1000
    #[arg(long, value_name = "ID")]
    viewer: UserId,
    /// A cursor that an earlier page ended or began with
    #[arg(long, value_name = "TEXT")]
    cursor: Option<String>,
    /// Most posts
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// The world's folder; without it a small world is generated, whose changes are kept in the cache folder
    #[arg(long, value_name = "DIR")]
    world: Option<PathBuf>,
    /// The constants, as YAML or JSON; what the file does not name keeps its default
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the instructions that a client gets, as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct ListArguments {
    /// The list
    #[arg(value_name = "ID")]
    list: ListId,
    #[command(flatten)]
    common: Arguments,
}

impl ListArguments {
    pub(crate) fn run(&self) -> Outcome {
        self.common.run(TimelineKind::List(self.list))
    }
}

impl Arguments {
    /// Shows a page of a timeline that needs no model.
    pub(crate) fn run(&self, kind: TimelineKind) -> Outcome {
        let model = ModelArguments::stand_in(self.config.clone());
        let request = TimelineRequest {
            cursor: self.cursor.clone(),
            count: self.count,
            ..TimelineRequest::new(kind, self.viewer)
        };
        show(&model, self.world.as_deref(), request, self.json)
    }
}

/// Asks for a page and shows it.
pub(crate) fn show(
    model: &ModelArguments,
    world: Option<&std::path::Path>,
    request: TimelineRequest,
    json: bool,
) -> Outcome {
    let config = model.pipeline_config()?;
    let timeline = model.timeline(World::open(world)?, &config)?;
    let context = request.context;
    let page = setup::runtime()?.block_on(async {
        let page = timeline.home.timeline(request).await;
        timeline.home.drain().await;
        page
    });
    timeline.world.stores.history.flush()?;
    let page = page?;
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &page)?;
        writeln!(out)?;
        return Ok(());
    }
    print(&mut out, &page, context)?;
    Ok(())
}

fn print(out: &mut impl Write, page: &Timeline, context: DeviceContext) -> std::io::Result<()> {
    writeln!(out, "{} of viewer {}", page.id, page.viewer)?;
    if page.is_fallback {
        writeln!(out, "Ranking gave nothing: the newest posts instead.")?;
    }
    for instruction in &page.instructions {
        match instruction {
            Instruction::AddEntries { entries } => {
                for entry in entries {
                    print_entry(out, entry)?;
                }
            }
            Instruction::ReplaceEntry { entry_id_to_replace, entry } => {
                writeln!(out, "  instead of {entry_id_to_replace}:")?;
                print_entry(out, entry)?;
            }
            Instruction::ShowAlert { alert } => writeln!(out, "  [{}]", alert.text)?,
            Instruction::ShowCover { cover } => writeln!(out, "  [{}]", cover.prompt.title)?,
            Instruction::TerminateTimeline { .. } => writeln!(out, "  That is all.")?,
            _ => {}
        }
    }
    if !page.missing.is_empty() {
        writeln!(out, "Less than it could be, because these failed: {}", page.missing.join(", "))?;
    }
    let next = [CursorKind::Bottom, CursorKind::Gap].into_iter().find_map(|kind| page.cursor(kind));
    if let Some(next) = next.filter(|_| context != DeviceContext::Polling) {
        writeln!(out, "\nOlder posts: --cursor {next}")?;
    }
    if let Some(newer) = page.cursor(CursorKind::Top) {
        writeln!(out, "Newer posts: --cursor {newer}")?;
    }
    Ok(())
}

fn print_entry(out: &mut impl Write, entry: &Entry) -> std::io::Result<()> {
    match &entry.content {
        Content::Post(post) => print_post(out, post, "", None),
        Content::Preview(post) => print_post(out, post, "", Some("for subscribers")),
        Content::Ad(ad) => print_post(out, &ad.post, "", Some(ad.disclosure)),
        Content::Prompt(prompt) => writeln!(out, "  * {} {}", prompt.title, prompt.body),
        Content::Cursor { .. } => Ok(()),
        Content::Module(module) => {
            if let Some(header) = module.header {
                writeln!(out, "  {header}")?;
            }
            for (place, item) in module.items.iter().enumerate() {
                match &item.content {
                    ItemContent::Post(post) => {
                        print_post(out, post, if place == 0 { "" } else { "| " }, None)?
                    }
                    ItemContent::User { user, social_context, .. } => {
                        let why =
                            social_context.as_ref().map(|context| context.text.as_str()).unwrap_or_default();
                        writeln!(out, "    @{:<18} {why}", user.screen_name)?;
                    }
                    _ => {}
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn print_post(out: &mut impl Write, post: &PostItem, line: &str, note: Option<&str>) -> std::io::Result<()> {
    if let Some(context) = &post.social_context {
        writeln!(out, "      ({})", context.text)?;
    }
    if let Some(person) = &post.reposted_by {
        writeln!(out, "      (reposted by @{})", person.screen_name)?;
    }
    let text: String =
        post.post.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(80).collect();
    let note = note.map(|note| format!(" [{note}]")).unwrap_or_default();
    writeln!(out, "  {line}@{:<16} {text}{note}", post.post.author.screen_name)
}
