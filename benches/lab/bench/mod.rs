//! The benches: what there is to measure, in what order, and when to refuse.

mod arguments;
mod contender;
mod groups;
mod limits;
mod load;
mod output;
mod quality;
mod quiet;
mod session;
mod subject;
mod target;
mod timing;

use std::process::ExitCode;

pub(crate) use arguments::Arguments;
#[allow(unused_imports, reason = "what tests/bench_refuses.rs asks for")]
pub(crate) use groups::{checked, present, refused};
pub(crate) use session::Session;
pub(crate) use target::Target;

pub(crate) fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let result = match words.first().map(String::as_str) {
        Some("contender") => contender::run(&words[1..]),
        Some("prepare") => contender::prepare(&words[1..]),
        _ if words.iter().any(|word| word == "--help" || word == "-h") => {
            println!("{}", arguments::HELP);
            Ok(())
        }
        _ => Arguments::parse(&words).and_then(|arguments| groups::run(&arguments)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("bench: {problem}");
            ExitCode::FAILURE
        }
    }
}
