//! Packed models: the same bits as the folder that they were made of, and errors that say what to do.

use std::path::{Path, PathBuf};

use maskrank::golden::Case;
use maskrank::weights::packed::{is_packed, repair};
use maskrank::weights::seeded;
use maskrank::{
    Backend, Batch, CpuKernel, Error, Model, Outputs, Precision, Request, ScoreOptions, Scorer,
    ScorerBuilder, Scores, Split,
};

const CASES: [&str; 6] =
    ["tiny-parallel", "ragged-input-norm", "serial", "share-none", "share-partial", "production"];
const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::Bf16, Precision::F16];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn builder(model: &Model, precision: Precision, split: &Split) -> ScorerBuilder {
    let builder = Scorer::builder(model).backend(Backend::Cpu).precision(precision).split(split.clone());
    builder.max_candidates(64).max_in_flight(1)
}

/// Bits of every logit, each row a request of its own.
fn bits(case: &Case, scorer: &Scorer, split: &Split) -> Vec<u32> {
    let widths = case.model.widths();
    let whole = case.request();
    let (once, each) = (split.request_widths(widths), split.candidate_widths(widths));
    let rows: Vec<[Vec<f32>; 2]> = (0..case.rows)
        .map(|row| {
            let values = case.input("user_embedding");
            let width = widths.user_embedding;
            let of = |given: usize| if given > 0 { &values[row * width..(row + 1) * width] } else { &[][..] };
            [of(once.user_embedding).to_vec(), of(each.user_embedding).to_vec()]
        })
        .collect();
    let row = |values: &'static str, row: usize| {
        let values = case.input(values);
        let width = values.len() / case.rows;
        &values[row * width..(row + 1) * width]
    };
    let requests: Vec<Request<'_>> = (0..case.rows)
        .map(|index| {
            let mut request = Request { candidates: 1, ..whole };
            request.candidate.continuous = maskrank::Features::F32(row("continuous", index));
            request.candidate.binary = maskrank::Binary::Numbers(row("binary", index));
            request.candidate.user_eng_embedding = maskrank::Features::F32(row("user_eng_embedding", index));
            request.candidate.author_embedding = maskrank::Features::F32(row("author_embedding", index));
            request.request.user_embedding = maskrank::Features::F32(&rows[index][0]);
            request.candidate.user_embedding = maskrank::Features::F32(&rows[index][1]);
            request
        })
        .collect();
    let weights: Vec<f32> = case.score_weights.iter().map(|&w| w as f32).collect();
    let outputs = Outputs { logits: true, ..Outputs::default() };
    let mut scores = Scores::default();
    let options = ScoreOptions::new(&weights).with_outputs(outputs);
    scorer.score(Batch { requests: &requests }, &options, &mut scores).unwrap();
    scores.logits.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn a_packed_model_scores_with_the_same_bits() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("model.packed");
    let user = Split { embeddings: [true, false, false], ..Split::default() };
    for name in CASES {
        let case = Case::open(&folder(name)).unwrap();
        for precision in PRECISIONS {
            let splits = if case.model.widths().user_embedding > 0 {
                vec![Split::default(), user.clone()]
            } else {
                vec![Split::default()]
            };
            for split in splits {
                builder(&case.model, precision, &split).pack(&file).unwrap();
                assert!(is_packed(&file) && !is_packed(&folder(name)));
                let packed = Model::open(&file).unwrap();
                assert_eq!((packed.config(), packed.widths()), (case.model.config(), case.model.widths()));
                let expected = bits(&case, &builder(&case.model, precision, &split).build().unwrap(), &split);
                let found = bits(&case, &builder(&packed, precision, &split).build().unwrap(), &split);
                assert_eq!(found, expected, "{name} {precision} {split:?}");
                // SAFETY: nothing else knows the file; it is written anew after the model is dropped.
                let shared = unsafe { Model::open_packed_shared(&file) }.unwrap();
                let found = bits(&case, &builder(&shared, precision, &split).build().unwrap(), &split);
                assert_eq!(found, expected, "{name} {precision} {split:?}, shared");
            }
        }
    }
}

#[test]
fn plain_rows_are_packed_further_with_the_same_bits() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("model.packed");
    for name in ["tiny-parallel", "share-partial", "serial"] {
        let case = Case::open(&folder(name)).unwrap();
        for precision in PRECISIONS {
            for backend in [Backend::Cuda, Backend::Wgpu] {
                builder(&case.model, precision, &Split::default()).backend(backend).pack(&file).unwrap();
                let packed = Model::open(&file).unwrap();
                let of = |model: &Model| {
                    let built = builder(model, precision, &Split::default()).backend(backend).build();
                    built.map(|scorer| bits(&case, &scorer, &Split::default()))
                };
                match (of(&packed), of(&case.model)) {
                    (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{name} {backend} {precision}"),
                    (Err(packed), Err(folder)) => assert_eq!(packed.to_string(), folder.to_string()),
                    (packed, folder) => panic!("{name} {backend} {precision}: {packed:?}, {folder:?}"),
                }
            }
        }
    }
}

#[test]
fn every_layout_is_written_anywhere_and_refused_where_another_kernel_runs() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("model.packed");
    let case = Case::open(&folder("ragged-input-norm")).unwrap();
    let split = Split::default();
    for precision in PRECISIONS {
        for kernel in CpuKernel::ALL.into_iter().filter(|kernel| kernel.supports(precision)) {
            builder(&case.model, precision, &split).cpu_kernel(kernel).pack(&file).unwrap();
            let packed = Model::open(&file).unwrap();
            assert_eq!(packed.weights().packed().unwrap().layout(), kernel.layout());
            for reader in CpuKernel::ALL {
                if !reader.supports(precision) || reader.obstacle().is_some() {
                    continue;
                }
                let built = builder(&packed, precision, &split).cpu_kernel(reader).build();
                if reader.layout() == kernel.layout() {
                    let folder = builder(&case.model, precision, &split).cpu_kernel(reader).build().unwrap();
                    assert_eq!(
                        bits(&case, &built.unwrap(), &split),
                        bits(&case, &folder, &split),
                        "{precision} {reader:?}"
                    );
                } else {
                    let error = built.map(drop).unwrap_err().to_string();
                    assert!(error.contains("pack it again") && error.contains(kernel.name()), "{error}");
                }
            }
        }
    }
}

#[test]
fn what_it_was_not_packed_for_is_an_error_that_says_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("model.packed");
    let case = Case::open(&folder("tiny-parallel")).unwrap();
    let split = Split::default();
    builder(&case.model, Precision::Bf16, &split).pack(&file).unwrap();
    let packed = Model::open(&file).unwrap();
    let problem = |builder: ScorerBuilder| match builder.build().map(drop).unwrap_err() {
        Error::Packed { file: named, problem } => {
            assert_eq!(named, file);
            problem
        }
        other => panic!("{other}"),
    };
    let found = problem(builder(&packed, Precision::F32, &split));
    assert!(found.contains("bf16") && found.contains("f32") && found.contains("pack"), "{found}");
    let found = problem(builder(&packed, Precision::Bf16, &split).backend(Backend::Cuda));
    assert!(found.contains("backend cpu") && found.contains("cuda"), "{found}");
    let user = Split { embeddings: [true, false, false], ..Split::default() };
    let found = problem(builder(&packed, Precision::Bf16, &user));
    assert!(
        found.contains("no request columns") && found.contains("request columns user_embedding"),
        "{found}"
    );
    let unasked = Scorer::builder(&packed).max_candidates(1).build().unwrap();
    assert_eq!(unasked.precision(), Precision::Bf16, "what it was packed in, where nothing was asked");
    let auto = builder(&packed, Precision::Bf16, &split).backend(Backend::Auto).build().unwrap();
    assert_eq!(auto.device().backend, Backend::Cpu, "auto takes what it was packed for");

    let error = builder(&packed, Precision::Bf16, &split).pack(&file).unwrap_err();
    assert!(matches!(error, Error::Argument { argument: "model", .. }), "{error}");
    let in_memory = Model::seeded(case.model.config().clone(), case.model.widths(), 1).unwrap();
    let error = builder(&in_memory, Precision::Bf16, &split).pack(&file).unwrap_err();
    assert!(matches!(error, Error::Argument { argument: "model", .. }), "{error}");
    let error = builder(&case.model, Precision::Tf32, &split).pack(&file).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    let error = Model::options().seed(3).open(&file).unwrap_err();
    assert!(matches!(error, Error::Argument { argument: "seed", .. }), "{error}");
    let error = Model::open(folder("tiny-parallel").join("config.yaml")).unwrap_err();
    assert!(error.to_string().contains("not a packed model"), "{error}");
    let truth = Case::from_inputs("packed", &packed, 0, vec![], std::collections::BTreeMap::default());
    assert!(truth.is_err(), "the reference needs the folder's weights");
}

#[test]
fn a_file_that_is_written_over_harms_no_copy() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("model.packed");
    let case = Case::open(&folder("serial")).unwrap();
    let split = Split::default();
    builder(&case.model, Precision::F32, &split).pack(&file).unwrap();
    let expected = bits(&case, &builder(&case.model, Precision::F32, &split).build().unwrap(), &split);
    let packed = Model::open(&file).unwrap();
    std::fs::write(&file, [0; 100]).unwrap();
    assert_eq!(bits(&case, &builder(&packed, Precision::F32, &split).build().unwrap(), &split), expected);
    assert!(Model::open(&file).is_err());
}

/// A small packed file of a layout that any processor reads.
fn small(split: &Split) -> Vec<u8> {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("model.packed");
    let case = Case::open(&folder("tiny-parallel")).unwrap();
    builder(&case.model, Precision::F32, split).cpu_kernel(CpuKernel::Portable).pack(&file).unwrap();
    std::fs::read(&file).unwrap()
}

#[test]
fn no_damaged_byte_and_no_cut_goes_unseen() {
    let bytes = small(&Split::default());
    assert!(Model::from_packed_bytes("whole", &bytes).is_ok());
    let page = 4096;
    let padding = {
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        let head = 64 + word(16) + word(24);
        head..head.next_multiple_of(page)
    };
    for at in (0..bytes.len()).step_by(7).filter(|at| !padding.contains(at)) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let error = Model::from_packed_bytes("damaged", &damaged).map(drop).unwrap_err();
        assert!(matches!(error, Error::Packed { .. }), "byte {at}: {error}");
    }
    for len in (0..bytes.len()).step_by(997).chain([bytes.len() - 1]) {
        assert!(Model::from_packed_bytes("cut", &bytes[..len]).is_err(), "{len} bytes");
    }
    assert!(Model::from_packed_bytes("longer", &[bytes.as_slice(), &[0]].concat()).is_err());
    assert_eq!(repair(&bytes), bytes, "a whole file needs no repair");
}

/// Changed bytes behind right checksums end in a model that can be scored with, or in an error.
#[test]
fn changed_bytes_behind_right_checksums_end_in_scores_or_errors() {
    let mut state = 1_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut scored = 0;
    for split in [Split::default(), Split { embeddings: [true, true, false], ..Split::default() }] {
        let bytes = small(&split);
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        let head = 64 + word(16) + word(24);
        for round in 0..1500 {
            let mut changed = bytes.clone();
            for _ in 0..1 + random(4) {
                // Mostly where it matters: lengths, header, tensors.
                let at = if random(8) == 0 { random(changed.len()) } else { 16 + random(head - 16) };
                changed[at] = match random(3) {
                    0 => random(256) as u8,
                    1 => changed[at] ^ (1 << random(8)),
                    _ => b"0129{}[]\",:-"[random(12)],
                };
            }
            if round % 5 == 0 {
                changed.truncate(random(bytes.len()));
            }
            let Ok(model) = Model::from_packed_bytes("changed", &repair(&changed)) else { continue };
            let Some(packed) = model.weights().packed() else { panic!("packed") };
            let split = packed.split().clone();
            let builder = Scorer::builder(&model).backend(Backend::Cpu).split(split.clone()).threads(1);
            let Ok(scorer) = builder.cpu_kernel(CpuKernel::Portable).max_candidates(2).build() else {
                continue;
            };
            let (once, each) = (split.request_widths(model.widths()), split.candidate_widths(model.widths()));
            if each.input_dim() + once.input_dim() > 100_000 {
                continue;
            }
            let (own, candidate) = (seeded::inputs(once, 1, 1), seeded::inputs(each, 1, 1));
            let request = Request { candidates: 1, request: columns(&own), candidate: columns(&candidate) };
            let weights = vec![1.0; model.tasks().len()];
            let mut scores = Scores::default();
            scorer.score(Batch { requests: &[request] }, &ScoreOptions::new(&weights), &mut scores).unwrap();
            scored += 1;
        }
    }
    assert!(scored > 100, "most changes of numbers leave a model: {scored}");
}

fn columns(inputs: &seeded::SeededInputs) -> maskrank::Columns<'_> {
    maskrank::Columns {
        continuous: maskrank::Features::F32(&inputs.continuous),
        binary: maskrank::Binary::Numbers(&inputs.binary),
        user_embedding: maskrank::Features::F32(&inputs.embeddings[0]),
        user_eng_embedding: maskrank::Features::F32(&inputs.embeddings[1]),
        author_embedding: maskrank::Features::F32(&inputs.embeddings[2]),
    }
}
