//! All of the library's benches but the pipeline's: one program, so that one command gives one table.
//!
//! ```text
//! cargo bench                                 everything that is present; says first how long it takes
//! cargo bench -- --quick                      the same rows with fewer samples: under three minutes on two cores
//! cargo bench -- score/cpu/bf16 load          rows whose id contains a word
//! cargo bench -- --no-record                  nothing is written to benches/record/
//! cargo bench -- --list                       ids and estimates, nothing is run
//! ```
//!
//! `docs/METHOD.md` says how to read what comes out.

mod bench;

fn main() -> std::process::ExitCode {
    bench::main()
}
