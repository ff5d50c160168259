//! The command line: one file a subcommand, library calls only.

mod cache;
mod columns;
mod demo;
mod devices;
mod golden;
mod inspect;
mod output;
mod pack;
mod random;
mod score;
mod select;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Ranks candidates with the Heavy Ranker, on a GPU or a CPU.
#[derive(Parser)]
#[command(name = "maskrank", version, arg_required_else_help = true, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Score 1,500 random candidates with the seeded production model on the best backend
    Demo(demo::Arguments),
    /// Score record files with a model
    Score(score::Arguments),
    /// Compare backends with golden cases; exits non-zero when a bound is exceeded
    Golden(golden::Arguments),
    /// Show a model's layers, shapes, parameters, FLOPs and bytes
    Inspect(inspect::Arguments),
    /// Pack a model folder into one file for one backend and precision, which opens with no work
    Pack(pack::Arguments),
    /// Write seeded weights for a configuration
    RandomWeights(random::WeightsArguments),
    /// Write random training records
    RandomRecords(random::RecordsArguments),
    /// List every backend: present or not, why, and what it supports
    Devices(devices::Arguments),
}

/// What a subcommand returns: any error is printed as one line.
type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Score(arguments) => score::run(&arguments),
        Command::Golden(arguments) => golden::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Pack(arguments) => pack::run(&arguments),
        Command::RandomWeights(arguments) => random::weights(&arguments),
        Command::RandomRecords(arguments) => random::records(&arguments),
        Command::Devices(arguments) => devices::run(&arguments),
    };
    match outcome {
        Ok(code) => code,
        // The reader of our output went away: `maskrank score … | head`.
        Err(error) if output::is_closed_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("maskrank: {error}");
            if let Some(step) = error.downcast_ref::<maskrank::Error>().and_then(select::next_step) {
                eprintln!("  {step}");
            }
            ExitCode::FAILURE
        }
    }
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
