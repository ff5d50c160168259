//! The targets of the CPU backend, and what was reached.

use std::fmt::Write as _;

use maskrank_rows::Row;

/// What the CPU backend is to reach at one precision and size.
struct Target {
    precision: &'static str,
    candidates: usize,
    /// Times as fast as the best peer.
    peer: f64,
    /// At least so many times.
    floor: f64,
    /// Share of the machine's limit, where one is asked for.
    limit: Option<f64>,
}

const fn target(
    precision: &'static str,
    candidates: usize,
    peer: f64,
    floor: f64,
    limit: Option<f64>,
) -> Target {
    Target { precision, candidates, peer, floor, limit }
}

const TARGETS: [Target; 8] = [
    target("bf16", 1500, 2.0, 1.5, Some(0.6)),
    target("bf16", 256, 1.8, 1.4, None),
    target("bf16", 32, 1.5, 1.1, None),
    target("bf16", 1, 1.2, 1.0, Some(0.8)),
    target("f32", 1500, 1.1, 1.0, None),
    target("f32", 256, 1.1, 1.0, None),
    target("f32", 32, 1.1, 1.0, None),
    target("f32", 1, 1.1, 1.0, None),
];

/// From one thread to two.
const SCALING: (f64, f64) = (1.9, 1.8);

/// The table, from a run's rows.
pub(crate) fn targets(rows: &[Row], threads: usize) -> String {
    let mut text = String::from(
        "| precision, N | ours | of the limit | best peer | its time | ratio (p10 to p90 of pairs) | target, floor | |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for target in &TARGETS {
        let shape = format!("n{}_t{threads}", target.candidates);
        let of = |row: &&Row| row.op == "score" && row.dtype == target.precision && row.shape == shape;
        let Some(ours) = rows.iter().filter(of).find(|row| row.backend == "cpu") else { continue };
        let peers = rows.iter().filter(of).filter(|row| row.backend != "cpu");
        let best = peers.min_by(|a, b| a.median_us.total_cmp(&b.median_us));
        let share = ours.ratio.unwrap_or(f64::NAN);
        let limit = target.limit.map_or(String::new(), |limit| format!(" (target {:.0} %)", 100.0 * limit));
        let _ = write!(
            text,
            "| {}, {} | {} | {:.0} %{limit} | ",
            target.precision,
            target.candidates,
            time(ours.median_us),
            100.0 * share
        );
        let shares = target.limit.is_none_or(|limit| share >= limit);
        match best {
            None => {
                // Without a peer only the share of the limit can be judged.
                let verdict = target.limit.map_or("no peer to compare with", |_| mark(shares, shares));
                let _ = writeln!(text, "none here | | | {} ×, {} × | {verdict} |", target.peer, target.floor);
            }
            Some(best) => {
                let ratio = 1.0 / best.ratio.unwrap_or(f64::NAN);
                let (low, high) =
                    (1.0 / best.ratio_p90.unwrap_or(f64::NAN), 1.0 / best.ratio_p10.unwrap_or(f64::NAN));
                let _ = writeln!(
                    text,
                    "{} | {} | {ratio:.2} × ({low:.2} to {high:.2}) | {} ×, {} × | {} |",
                    best.backend,
                    time(best.median_us),
                    target.peer,
                    target.floor,
                    mark(ratio >= target.peer && shares, ratio >= target.floor)
                );
            }
        }
    }
    for precision in ["f32", "bf16"] {
        let single = rows.iter().find(|row| {
            row.op == "score"
                && row.dtype == precision
                && row.backend == "cpu"
                && row.baseline.starts_with("threads")
        });
        if let Some(scaling) = single.and_then(|row| row.ratio) {
            let ratio = 1.0 / scaling;
            let _ = writeln!(
                text,
                "| {precision}, 1500, 1 → {threads} threads | {ratio:.2} × | | | | | {} ×, {} × | {} |",
                SCALING.0,
                SCALING.1,
                mark(ratio >= SCALING.0, ratio >= SCALING.1)
            );
        }
    }
    text
}

fn mark(target: bool, floor: bool) -> &'static str {
    match (target, floor) {
        (true, _) => "reached",
        (false, true) => "above the floor",
        (false, false) => "below the floor",
    }
}

fn time(us: f64) -> String {
    format!("{:.2} ms", us / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(backend: &str, us: f64, ratio: f64, baseline: &str) -> Row {
        Row {
            op: "score".into(),
            backend: backend.into(),
            dtype: "bf16".into(),
            shape: "n1500_t2".into(),
            median_us: us,
            ratio: Some(ratio),
            ratio_p10: Some(ratio * 0.9),
            ratio_p90: Some(ratio * 1.1),
            baseline: baseline.into(),
            ..Row::default()
        }
    }

    #[test]
    fn the_best_peer_is_the_fastest_and_a_target_needs_both_ratios() {
        let rows = [
            row("cpu", 70e3, 0.65, "limit: multiply rate"),
            row("slow", 300e3, 0.23, "maskrank cpu"),
            row("quick", 150e3, 0.46, "maskrank cpu"),
        ];
        let table = targets(&rows, 2);
        assert!(table.contains("quick | 150.00 ms | 2.17 ×"), "{table}");
        assert!(table.contains("| reached |"), "{table}");
        let below = [row("cpu", 70e3, 0.5, "limit"), row("quick", 150e3, 0.46, "maskrank cpu")];
        assert!(targets(&below, 2).contains("| above the floor |"));
        assert!(targets(&rows[..1], 2).contains("none here"));
    }
}
