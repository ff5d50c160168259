//! The bench gives no time for wrong answers: a fault planted in the product's own packing, on every backend that is
//! here, is noticed before anything is timed.

#![allow(
    dead_code,
    unused_imports,
    reason = "the bench's modules are shared by path; a test runs a part of them"
)]

#[path = "../benches/lab/bench/mod.rs"]
mod bench;

#[test]
fn a_planted_fault_leaves_no_time() {
    let words = ["--planted-fault", "--quick", "score", "n32"].map(str::to_owned);
    let arguments = bench::Arguments::parse(&words).unwrap();
    let (refused, rows) = bench::refused(&arguments).unwrap();
    assert!(!refused.is_empty(), "the CPU is always here");
    assert!(
        refused.iter().all(|reason| reason.contains("wrong answers, so no time is given")),
        "{refused:?}"
    );
    assert_eq!(rows, 0, "no row was given a time");
    assert!(refused.iter().any(|reason| reason.starts_with("cpu/f32")), "{refused:?}");
    assert!(refused.iter().any(|reason| reason.starts_with("cpu/bf16")), "{refused:?}");
}

#[test]
fn without_the_fault_the_same_scorers_pass() {
    let words = ["--quick", "--no-record", "score/cpu"].map(str::to_owned);
    let arguments = bench::Arguments::parse(&words).unwrap();
    let mut session = bench::Session::new(&arguments, "test").unwrap();
    for target in bench::present(&mut session) {
        let split = maskrank::Split::default();
        let checked = bench::checked(&mut session, &target, &split);
        assert!(checked.is_ok(), "{}: {:?}", target.name(), checked.err());
    }
}
