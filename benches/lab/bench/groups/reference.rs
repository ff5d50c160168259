//! The f64 reference itself: what every answer is held against, and the slowest way to it. One thread, no cleverness.

use std::time::Instant;

use maskrank_rows::{Row, Summary};

use super::Planned;
use crate::bench::subject::Truth;
use crate::bench::{Session, timing};

const CANDIDATES: usize = 4;

fn id() -> String {
    format!("score/reference/f64/n{CANDIDATES}_t1")
}

fn rounds(session: &Session) -> usize {
    if session.arguments.quick { 3 } else { 9 }
}

pub(super) fn plan(session: &Session) -> Vec<Planned> {
    // It multiplies about a thousand million times a second.
    let call = session.cost.flops * CANDIDATES as f64 / 2e9;
    let row = Planned::new(id(), call * rounds(session) as f64);
    if session.arguments.wants(&row.id) { vec![row] } else { Vec::new() }
}

pub(super) fn run(session: &mut Session) -> Result<(), String> {
    if !session.arguments.wants(&id()) {
        return Ok(());
    }
    let steady = timing::steady();
    let mut seconds = Vec::new();
    for _ in 0..rounds(session) {
        let clock = Instant::now();
        Truth::rows(&session.case.model, &session.case.score_weights, &session.inputs, 0..CANDIDATES)?;
        seconds.push(clock.elapsed().as_secs_f64());
    }
    let mut parts = id().split('/').map(str::to_owned).collect::<Vec<_>>().into_iter();
    let mut part = || parts.next().unwrap_or_default();
    let row = Row {
        op: part(),
        backend: part(),
        dtype: part(),
        shape: part(),
        l2: "warm".into(),
        kind: "score".into(),
        note: "the truth that errors are counted from: f64, layer by layer, one thread".into(),
        ..Row::default()
    };
    let row = row.timed(&Summary::of(&seconds, timing::drift(steady)));
    session.push(row.rated(CANDIDATES, session.cost.flops * CANDIDATES as f64, 0.0))
}
