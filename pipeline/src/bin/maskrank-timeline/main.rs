//! Command line of the timeline pipeline: a world, a ranked timeline, what changes it, and how fast it is.
#![forbid(unsafe_code)]

mod act;
mod bench;
mod bench_parts;
mod client;
mod components;
mod explain;
mod for_you;
mod ingest;
mod load;
mod random;
mod records;
mod serve;
mod setup;
mod stand_in;
mod timelines;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use maskrank_pipeline::domain::TimelineKind;
use maskrank_pipeline::world::cli;

/// Requests are many small allocations on many threads, which the system's allocator spends a seventh of the time on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Ranks timelines: candidates, hydration, filters, the Heavy Ranker, selection.
#[derive(Parser)]
#[command(name = "maskrank-timeline", version, arg_required_else_help = true, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Rank a viewer's timeline
    ForYou(for_you::Arguments),
    /// Posts of followed accounts, newest first
    Following(timelines::Arguments),
    /// Posts of a list's members, newest first
    List(timelines::ListArguments),
    /// Posts for subscribers of the accounts that the viewer pays, newest first
    Subscribed(timelines::Arguments),
    /// Say why a post is, or is not, in a viewer's timeline: sources, filters, features, scores, places
    Explain(explain::Arguments),
    /// Follow, block or mute an account, or ask to see fewer of its posts
    Act(act::Arguments),
    /// Generate a world, or import one from files
    #[command(subcommand)]
    World(cli::WorldCommand),
    /// Write training records: all features of what the model would be asked about, with labels
    Records(records::Arguments),
    /// Measure requests: how long each stage takes, in a closed or an open loop
    Bench(bench::Arguments),
    /// Serve timelines over HTTP, and a page to look at them
    Serve(serve::Arguments),
    /// Make a bearer token that names a viewer
    Token(token::Arguments),
    /// List the components of the pipelines and the feature families, in the order of execution
    Components(components::Arguments),
}

/// How a subcommand ends.
type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("MASKRANK_LOG");
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
    let outcome = match Arguments::parse().command {
        Command::ForYou(arguments) => for_you::run(&arguments),
        Command::Following(arguments) => arguments.run(TimelineKind::Following),
        Command::List(arguments) => arguments.run(),
        Command::Subscribed(arguments) => arguments.run(TimelineKind::Subscribed),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Act(arguments) => act::run(&arguments),
        Command::World(command) => cli::run(command, &mut std::io::stdout().lock()).map_err(Into::into),
        Command::Records(arguments) => records::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Token(arguments) => token::run(&arguments),
        Command::Components(arguments) => components::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of our output went away: `maskrank-timeline for-you … | head`.
        Err(error) if is_closed_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("maskrank-timeline: {error}");
            ExitCode::FAILURE
        }
    }
}

fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn no_two_arguments_have_one_name() {
        Arguments::command().debug_assert();
    }
}
