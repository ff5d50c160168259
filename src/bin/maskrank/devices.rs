//! `devices`: every backend, present or not, and why.

use std::process::ExitCode;

use clap::Args;

use crate::Outcome;

#[derive(Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_arguments: &Arguments) -> Outcome {
    for listing in maskrank::devices() {
        println!("{}", listing.backend);
        for entry in &listing.present {
            println!("  {}", entry.name);
            for (name, value) in &entry.details {
                println!("    {name:<14} {value}");
            }
        }
        if let Some(reason) = &listing.absent {
            println!("  not available: {reason}");
        }
    }
    Ok(ExitCode::SUCCESS)
}
