//! What opening a packed production model costs, in a process of its own: time and peak memory. Ignored in ordinary runs:
//!
//! ```text
//! cargo test --release --test packed_load -- --ignored --nocapture
//! ```

use std::path::Path;
use std::time::{Duration, Instant};

use maskrank::weights::seeded;
use maskrank::{
    Backend, Batch, Binary, Columns, Features, Model, Precision, Request, ScoreOptions, Scorer, Scores,
};

/// Peak resident memory of this process in bytes, where the system tells it.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// The measurement itself, in a child process, so that packing's own memory is not in it.
const CHILD: &str = "MASKRANK_PACKED_FILE";

#[test]
#[ignore = "a measurement: run it alone, with --release"]
fn opens_in_a_fifth_of_a_second_within_half_more_than_the_weights() {
    if let Some(file) = std::env::var_os(CHILD) {
        measure(Path::new(&file));
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/production");
    let (model, _) = Model::open_case(folder).unwrap();
    for precision in [Precision::Bf16, Precision::F32] {
        let file = place.path().join(format!("{precision}.packed"));
        Scorer::builder(&model).backend(Backend::Cpu).precision(precision).pack(&file).unwrap();
        let name = "opens_in_a_fifth_of_a_second_within_half_more_than_the_weights";
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", name, "--nocapture"])
            .env(CHILD, &file)
            .status()
            .unwrap();
        assert!(child.success(), "{precision}");
    }
}

fn measure(file: &Path) {
    let bytes = std::fs::metadata(file).unwrap().len();
    let precision = if file.to_string_lossy().contains("bf16") { Precision::Bf16 } else { Precision::F32 };
    let build = |model: &Model| {
        let builder = Scorer::builder(model).backend(Backend::Cpu).precision(precision);
        builder.max_candidates(256).build().unwrap()
    };
    let before = peak();
    let time = |open: &dyn Fn() -> Model| {
        let start = Instant::now();
        let model = open();
        let opened = start.elapsed();
        let scorer = build(&model);
        let all = start.elapsed();
        drop(scorer);
        (all, opened)
    };
    let mut copied: Vec<_> = (0..9).map(|_| time(&|| Model::open(file).unwrap())).collect();
    // Two callers at once, as many candidates as there may be: every buffer is touched.
    let model = Model::open(file).unwrap();
    let scorer = build(&model);
    let inputs = seeded::inputs(model.widths(), 256, 1);
    let columns = Columns {
        continuous: Features::F32(&inputs.continuous),
        binary: Binary::Numbers(&inputs.binary),
        user_embedding: Features::F32(&inputs.embeddings[0]),
        user_eng_embedding: Features::F32(&inputs.embeddings[1]),
        author_embedding: Features::F32(&inputs.embeddings[2]),
    };
    let request = Request { candidates: 256, request: Columns::default(), candidate: columns };
    let weights = vec![1.0; model.tasks().len()];
    let score = || {
        let (options, mut scores) = (ScoreOptions::new(&weights), Scores::default());
        (0..3).for_each(|_| scorer.score(Batch { requests: &[request] }, &options, &mut scores).unwrap());
    };
    std::thread::scope(|scope| {
        scope.spawn(score);
        score();
    });
    let after = peak();
    drop((scorer, model));
    // SAFETY: the file is the parent's own, which leaves it alone until this process ends.
    let mut shared: Vec<_> =
        (0..9).map(|_| time(&|| unsafe { Model::open_packed_shared(file) }.unwrap())).collect();
    copied.sort();
    shared.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{precision}: {:.0} MB; copied: open and build {:.0} ms (median of 9; fastest {:.0}), of that open {:.0}; \
         shared: {:.0} ms (fastest {:.0})",
        bytes as f64 / 1e6,
        ms(copied[4].0),
        ms(copied[0].0),
        ms(copied[4].1),
        ms(shared[4].0),
        ms(shared[0].0),
    );
    if let (Some(before), Some(after)) = (before, after) {
        let ratio = after as f64 / bytes as f64;
        println!(
            "{precision}: peak {:.0} MB ({:.0} before), {ratio:.2} of the file",
            after as f64 / 1e6,
            before as f64 / 1e6
        );
        assert!(ratio < 1.5, "peak memory is {ratio:.2} of the weights");
    }
    // The fastest: the others say what else the machine did.
    assert!(copied[0].0 < Duration::from_millis(200), "copied: {:?}", copied[0]);
    assert!(shared[0].0 < Duration::from_millis(200), "shared: {:?}", shared[0]);
}
