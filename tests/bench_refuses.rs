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
    let (targets, refused, rows) = bench::refused(&arguments).unwrap();
    let names: Vec<String> = targets.iter().map(bench::Target::name).collect();
    assert!(names.iter().any(|name| name == "cpu/f32") && names.iter().any(|name| name == "cpu/bf16"));
    for name in &names {
        let own = |reason: &&String| reason.starts_with(&format!("{name}: "));
        let reasons: Vec<&String> = refused.iter().filter(own).collect();
        assert!(!reasons.is_empty(), "{name} is here and was not refused: {refused:?}");
        assert!(
            reasons.iter().all(|reason| reason.contains("wrong answers, so no time is given")),
            "{reasons:?}"
        );
    }
    assert_eq!(rows, 0, "no row was given a time");
    println!("refused: {}", names.join(", "));
}

#[test]
fn without_the_fault_the_same_scorers_pass() {
    let words = ["--quick", "--no-record", "score/cpu"].map(str::to_owned);
    let arguments = bench::Arguments::parse(&words).unwrap();
    let mut session = bench::Session::new(&arguments).unwrap();
    for target in bench::present(&mut session) {
        let split = maskrank::Split::default();
        let checked = bench::checked(&mut session, &target, &split);
        assert!(checked.is_ok(), "{}: {:?}", target.name(), checked.err());
    }
}
