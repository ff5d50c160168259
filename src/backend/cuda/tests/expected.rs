//! The tables of expected times in `docs/design/cuda.md`, computed from the launches themselves.
//!
//! `MASKRANK_WRITE_DOCS=1` writes it; without, the test compares.

use std::fmt::Write;
use std::path::Path;

use crate::backend::Options;
use crate::backend::cuda::program::{ALIGN, HeadCall, HeadOutputs, Launch, Place, Program};
use crate::backend::cuda::tile::{Tile, tiles};
use crate::golden::Case;
use crate::plan::{Epilogue, Folding, GemmGroup, Plan, Step, View};
use crate::{Precision, Split};

/// Batch sizes.
const SIZES: [usize; 4] = [1, 256, 1500, 8192];
/// An H200.
const MULTIPROCESSORS: usize = 132;
/// Rate of `mma.sync` on it, FLOP/s: an assumption, 0.6 of the 989 TFLOP/s of its `wgmma`.
const MMA_RATE: f64 = 0.6 * 989e12;
/// Rate of memory, bytes/s: an assumption, 0.83 of 4.8 TB/s.
const MEMORY_RATE: f64 = 0.83 * 4.8e12;
/// Rate at which multiprocessors read the L2 cache, bytes/s: an assumption.
const CACHE_RATE: f64 = 5.5e12;
/// From one kernel of a graph to the next, seconds: an assumption.
const GAP: f64 = 1.5e-6;
/// Bytes of a bf16.
const SIZE: usize = 2;

const BEGIN: &str = "<!-- expected times: begin -->\n";
const END: &str = "<!-- expected times: end -->";

#[derive(Default)]
struct Row {
    name: String,
    blocks: usize,
    /// Bytes that have to come from memory or go there: every operand once.
    bytes: usize,
    /// Bytes that blocks read from the L2 cache: every operand once a tile.
    cached: usize,
    flops: f64,
    /// FLOPs of whole tiles in whole waves: what the tensor cores are busy for.
    busy: f64,
}

impl Row {
    fn waves(&self) -> f64 {
        self.blocks as f64 / MULTIPROCESSORS as f64
    }

    /// What takes longest, and how long.
    fn limiter(&self) -> (&'static str, f64) {
        let times = [
            ("memory", self.bytes as f64 / MEMORY_RATE),
            ("L2", self.cached as f64 / CACHE_RATE),
            ("tensor cores", self.busy / MMA_RATE),
        ];
        let longest = times.into_iter().fold(times[0], |a, b| if b.1 > a.1 { b } else { a });
        if longest.1 < GAP { ("launch", longest.1) } else { longest }
    }

    fn seconds(&self) -> f64 {
        self.limiter().1 + GAP
    }
}

/// Bytes of the views' columns for one candidate, each view once.
fn columns(plan: &Plan, views: impl Iterator<Item = View>) -> usize {
    let mut seen: Vec<View> = Vec::new();
    for view in views {
        if !seen.contains(&view) {
            seen.push(view);
        }
    }
    seen.into_iter().map(|view| plan.padded(view) * SIZE).sum()
}

fn gemm(plan: &Plan, groups: &[GemmGroup], launch: &Launch, n: usize) -> Row {
    let tile = tiles(Precision::Bf16)
        .into_iter()
        .find(|tile: &Tile| launch.entry.contains(&format!("_{}x{}_", tile.m, tile.n)))
        .expect("a known tile");
    let [x, y, _] = launch.grid.map(|blocks| blocks as usize);
    let (k, out) = (|g: &GemmGroup| plan.padded(g.input), |g: &GemmGroup| plan.padded(g.output));
    let factors = groups.iter().filter_map(|g| match &g.epilogue {
        Epilogue::BiasMultiply(factor) => Some(*factor),
        _ => None,
    });
    let activations = columns(plan, groups.iter().map(|g| g.input))
        + columns(plan, factors)
        + columns(plan, groups.iter().map(|g| g.output));
    let weights: usize = groups.iter().map(|g| k(g) * out(g) * SIZE).sum();
    // Blocks of one group share its K.
    let tiled = |of: &dyn Fn(usize) -> usize| -> usize {
        groups.iter().map(|g| tile.columns(out(g)) * y * of(k(g))).sum()
    };
    let mean = tiled(&|k| k) as f64 / (x * y) as f64;
    let slots = (x * y).next_multiple_of(MULTIPROCESSORS) as f64;
    Row {
        name: launch.entry.clone().into_owned(),
        blocks: x * y,
        bytes: weights + activations * n,
        cached: groups.iter().map(|g| (tile.columns(out(g)) * n + y * out(g)) * k(g) * SIZE).sum(),
        flops: groups.iter().map(|g| 2.0 * (g.linear.out_features * g.linear.in_features * n) as f64).sum(),
        busy: slots * 2.0 * (tile.m * tile.n) as f64 * mean,
    }
}

fn rows(plan: &Plan, program: &Program, n: usize) -> Vec<Row> {
    let place = Place { image: 0, lane: 0, multiprocessors: MULTIPROCESSORS };
    let mut launches = program.middle(place, n).into_iter();
    plan.steps
        .iter()
        .map(|step| match step {
            // f32 in, bf16 out.
            Step::Featurize(step) => Row {
                name: "featurize".to_owned(),
                blocks: n,
                bytes: (plan.widths.input_dim() * size_of::<f32>() + plan.padded(step.output) * SIZE) * n,
                ..Row::default()
            },
            Step::Gemm(groups) => gemm(plan, groups, &launches.next().expect("one launch a step"), n),
            Step::LayerNorm(_) => unreachable!("the production model has no norm of its own"),
            Step::Head(head) => {
                let inputs = columns(plan, head.tasks.iter().map(|task| task.input));
                let outputs = HeadOutputs { status: 0, score: 0, per_task: [0; 3] };
                let call = HeadCall { weights: &[], calibrated: true, outputs };
                let blocks = program.head(place, n, call).grid[0];
                Row {
                    name: "head".to_owned(),
                    blocks: blocks as usize,
                    bytes: (inputs + size_of::<f32>()) * n,
                    ..Row::default()
                }
            }
        })
        .collect()
}

fn table(plan: &Plan, program: &Program) -> String {
    let mut text = String::new();
    let mut line = |words: String| writeln!(text, "{words}").expect("text");
    for n in SIZES {
        let rows = rows(plan, program, n);
        line(format!("\n{n} candidates:\n"));
        line(
            "| launch | tiles | waves | MB of memory | MB of L2 | GFLOP | limited by | expected µs | measured µs |".into(),
        );
        line("|---|---|---|---|---|---|---|---|---|".into());
        for row in &rows {
            line(format!(
                "| `{}` | {} | {:.2} | {:.2} | {:.1} | {:.2} | {} | {:.1} | |",
                row.name,
                row.blocks,
                row.waves(),
                row.bytes as f64 / 1e6,
                row.cached as f64 / 1e6,
                row.flops / 1e9,
                row.limiter().0,
                row.seconds() * 1e6
            ));
        }
        let total: f64 = rows.iter().map(Row::seconds).sum();
        line(format!("| all | | | | | | | {:.1} | |", total * 1e6));
        line(format!("\nThat would be {:.2} M candidates/s.", n as f64 / total / 1e6));
    }
    text
}

/// What computing a request's part of the aggregation once would save and cost on CUDA.
fn reuse(plan: &Plan) -> String {
    let Some(Step::Gemm(groups)) = plan.steps.iter().find(|step| matches!(step, Step::Gemm(_))) else {
        panic!("the production model starts with the aggregation");
    };
    let outputs: usize = groups.iter().map(|g| plan.padded(g.output)).sum();
    let mut text = String::from(
        "\n| columns once a request | saved at 1,500 candidates, µs | one more launch, µs | worth it above | measured above |\n|---|---|---|---|---|\n",
    );
    for columns in [448, 960, 1408, 1984] {
        let saved = 2.0 * (outputs * columns) as f64 / MMA_RATE;
        let cost = GAP + (outputs * columns * SIZE) as f64 / MEMORY_RATE;
        let (all, cost_us) = (saved * 1500.0 * 1e6, cost * 1e6);
        let crossover = (cost / saved).ceil();
        writeln!(text, "| {columns} | {all:.1} | {cost_us:.1} | {crossover} candidates a request | |")
            .expect("text");
    }
    text
}

/// Replaces, or compares, what stands between two markers of `docs/design/cuda.md`.
fn hold(begin: &str, end: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/design/cuda.md");
    let text = std::fs::read_to_string(&file).expect("docs/design/cuda.md");
    let (before, rest) = text.split_once(begin).expect("the first marker");
    let (found, after) = rest.split_once(end).expect("the last marker");
    if std::env::var_os("MASKRANK_WRITE_DOCS").is_some() {
        std::fs::write(&file, format!("{before}{begin}{expected}{end}{after}")).expect("a writable file");
    } else {
        assert_eq!(found, expected, "run this test with MASKRANK_WRITE_DOCS=1");
    }
}

#[test]
fn tables_of_expected_times_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let case = Case::open(&root.join("tests/golden/production")).expect("the production case");
    let (model, precision) = (&case.model, Precision::Bf16);
    let plan = Plan::build(model.config(), model.widths(), model.weights(), ALIGN, Folding::Epilogues);
    let options = Options {
        precision,
        max_candidates: 8192,
        split: Split::default(),
        threads: 0,
        adapter: None,
        planted_fault: false,
        cpu_kernel: None,
    };
    let program = Program::new(&plan, &options).expect("a program");
    hold(BEGIN, END, &table(&plan, &program));
    hold("<!-- reuse: begin -->\n", "<!-- reuse: end -->", &reuse(&plan));
}
