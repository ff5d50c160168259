//! What the benches of a GPU ask of the runtime, on the driver double: every kernel, the graph, copies and starts. Times are
//! the double's own; that everything runs, and is of the right kernels, is what is tested.

use super::runtime::{WIDTHS, model};
use crate::backend::cuda::timing::Timing;
use crate::plan::{Folding, Plan};
use crate::weights::seeded;
use crate::{Binary, Columns, Features, Precision, Request, Split};

const CANDIDATES: usize = 33;
const SAMPLES: usize = 2;

#[test]
fn everything_that_is_timed_runs() {
    let model = model();
    let plan = Plan::build(model.config(), WIDTHS, model.weights(), 32, Folding::Weights);
    let inputs = seeded::inputs(WIDTHS, CANDIDATES, 7);
    let [user, engagement, author] = &inputs.embeddings;
    let request = Request {
        candidates: CANDIDATES,
        request: Columns::default(),
        candidate: Columns {
            continuous: Features::F32(&inputs.continuous),
            binary: Binary::Numbers(&inputs.binary),
            user_embedding: Features::F32(user),
            user_eng_embedding: Features::F32(engagement),
            author_embedding: Features::F32(author),
        },
    };
    for precision in [Precision::F32, Precision::Bf16] {
        let mut timing = Timing::with_split(&model, precision, CANDIDATES, Split::default()).unwrap();
        let scores = timing.score(request).unwrap();
        assert!(scores.len() == CANDIDATES && scores.iter().all(|score| score.is_finite()));
        let kernels = timing.kernels(CANDIDATES, SAMPLES).unwrap();
        assert!(kernels.len() >= plan.steps.len(), "{kernels:?}");
        for kernel in &kernels {
            assert!(!kernel.entry.is_empty() && kernel.blocks > 0, "{kernel:?}");
            assert!(is_times(&kernel.seconds), "{kernel:?}");
        }
        let flops: f64 = kernels.iter().map(|kernel| kernel.flops).sum();
        // Where every step is one launch, the launches' FLOPs are the model's; else they are not told.
        let whole = plan.cost().flops * CANDIDATES as f64;
        assert!(flops == 0.0 || (flops / whole - 1.0).abs() <= 1e-9, "{flops} of {whole}");
        assert!(is_times(&timing.graph(CANDIDATES, SAMPLES).unwrap()));
        let copies = timing.copies(1 << 12, SAMPLES).unwrap();
        let names: Vec<&str> = copies.iter().map(|copy| copy.name).collect();
        assert_eq!(names, ["device_to_device", "host_to_device", "device_to_host"]);
        assert!(copies.iter().all(|copy| is_times(&copy.seconds)), "{copies:?}");
        let starts = timing.starts(SAMPLES).unwrap();
        let names: Vec<&str> = starts.iter().map(|start| start.name).collect();
        assert_eq!(names, ["graph_start", "kernel_start"]);
        assert!(starts.iter().all(|start| is_times(&start.seconds)), "{starts:?}");
    }
}

fn is_times(seconds: &[f64]) -> bool {
    let is_time = |time: &f64| time.is_finite() && *time >= 0.0;
    seconds.len() == SAMPLES && seconds.iter().all(is_time) && seconds.is_sorted()
}
