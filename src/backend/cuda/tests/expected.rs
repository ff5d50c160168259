//! The table of expected times in `docs/design/cuda.md`, computed from the launches themselves.
//!
//! `MASKRANK_WRITE_DOCS=1` writes it; without, the test compares.

use std::fmt::Write;
use std::path::Path;

use crate::backend::Options;
use crate::backend::cuda::program::{ALIGN, Place, Program};
use crate::backend::cuda::tile::{Tile, tiles};
use crate::golden::Case;
use crate::plan::{Folding, Plan, Step};
use crate::{Precision, Split};

/// An H200.
const MULTIPROCESSORS: usize = 132;
/// Rate of `mma.sync` on it, FLOP/s: an assumption, 0.6 of the 989 TFLOP/s of its `wgmma`.
const MMA_RATE: f64 = 0.6 * 989e12;
/// Rate of memory, bytes/s: an assumption, 0.83 of 4.8 TB/s.
const MEMORY_RATE: f64 = 0.83 * 4.8e12;
/// From one kernel of a graph to the next, seconds: an assumption.
const GAP: f64 = 1.5e-6;
/// Bytes of a bf16.
const SIZE: f64 = 2.0;

const BEGIN: &str = "<!-- expected times: begin -->\n";
const END: &str = "<!-- expected times: end -->";

struct Row {
    name: String,
    grid: usize,
    waves: f64,
    bytes: f64,
    flops: f64,
    /// FLOPs of whole tiles in whole waves: what the tensor cores are busy for.
    busy: f64,
}

impl Row {
    fn seconds(&self) -> f64 {
        (self.busy / MMA_RATE).max(self.bytes / MEMORY_RATE) + GAP
    }
}

fn rows(plan: &Plan, program: &Program, n: usize) -> Vec<Row> {
    let place = Place { image: 0, lane: 0, multiprocessors: MULTIPROCESSORS };
    let mut launches = program.middle(place, n).into_iter();
    plan.steps
        .iter()
        .map(|step| {
            let cost = plan.step_cost(step);
            let (weights, activations) = (cost.weights as f64, cost.activations as f64 * n as f64);
            let mut row = Row {
                name: step.stem().to_owned(),
                grid: n,
                waves: 0.0,
                bytes: SIZE * (weights + activations),
                flops: 0.0,
                busy: 0.0,
            };
            match step {
                // f32 in, bf16 out.
                Step::Featurize(_) => row.bytes = (4.0 + SIZE) * plan.widths.input_dim() as f64 * n as f64,
                Step::Gemm(groups) => {
                    let launch = launches.next().expect("one launch a step");
                    let tile = tiles(Precision::Bf16)
                        .into_iter()
                        .find(|tile: &Tile| launch.entry.contains(&format!("_{}x{}_", tile.m, tile.n)))
                        .expect("a known tile");
                    let [x, y, _] = launch.grid.map(|blocks| blocks as usize);
                    row.name = launch.entry.clone().into_owned();
                    row.grid = x * y;
                    row.waves = row.grid as f64 / MULTIPROCESSORS as f64;
                    row.flops = cost.flops * n as f64;
                    let k = groups.iter().map(|g| plan.padded(g.input)).sum::<usize>() as f64
                        / groups.len() as f64;
                    let slots = row.waves.ceil() * MULTIPROCESSORS as f64;
                    row.busy = slots * 2.0 * (tile.m * tile.n) as f64 * k;
                }
                Step::LayerNorm(_) => drop(launches.next()),
                Step::Head(_) => {}
            }
            row
        })
        .collect()
}

fn table(plan: &Plan, program: &Program) -> String {
    let mut text = String::new();
    for n in [1, 1500, 8192] {
        let rows = rows(plan, program, n);
        writeln!(text, "\n{n} candidates:\n").expect("text");
        writeln!(text, "| launch | blocks | waves | MB | GFLOP | expected µs | measured µs |").expect("text");
        writeln!(text, "|---|---|---|---|---|---|---|").expect("text");
        for row in &rows {
            let (mb, gflop, us) = (row.bytes / 1e6, row.flops / 1e9, row.seconds() * 1e6);
            writeln!(
                text,
                "| `{}` | {} | {:.2} | {mb:.2} | {gflop:.2} | {us:.1} | |",
                row.name, row.grid, row.waves
            )
            .expect("text");
        }
        let total: f64 = rows.iter().map(Row::seconds).sum();
        writeln!(text, "| all | | | | | {:.1} | |", total * 1e6).expect("text");
        writeln!(text, "\nThat would be {:.2} M candidates/s.", n as f64 / total / 1e6).expect("text");
    }
    text
}

#[test]
fn the_table_of_expected_times_is_current() {
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
    let expected = table(&plan, &program);
    let file = root.join("docs/design/cuda.md");
    let text = std::fs::read_to_string(&file).expect("docs/design/cuda.md");
    let (before, rest) = text.split_once(BEGIN).expect("the table's first marker");
    let (found, after) = rest.split_once(END).expect("the table's last marker");
    if std::env::var_os("MASKRANK_WRITE_DOCS").is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}{expected}{END}{after}")).expect("a writable file");
    } else {
        assert_eq!(found, expected, "run this test with MASKRANK_WRITE_DOCS=1");
    }
}
