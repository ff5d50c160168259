//! Random architectures against the reference: every sharing type, network kind, norm and size that a configuration
//! can have, with inputs that no feature store should produce.

use std::collections::BTreeMap;
use std::sync::Arc;

use maskrank::config::{
    AffineMap, Aggregation, BatchNorm, EMBEDDINGS, Featurization, LayerNorm, MaskBlock, MaskNet, Mlp,
    ModelConfig, Network, RecordsConfig, Sharing, Task, Widths,
};
use maskrank::golden::Case;
use maskrank::{Model, Precision};

use super::{Random, Trial};

/// Sizes around tiles, and primes.
const SIZES: [usize; 14] = [1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 97];
const ROWS: [usize; 10] = [1, 2, 7, 15, 16, 17, 31, 64, 65, 97];
const ARCHITECTURES: u64 = 40;

pub fn trials() -> Vec<Trial> {
    (0..ARCHITECTURES)
        .map(|seed| {
            Trial::new(format!("random_model/seed_{seed}"), move |target| {
                let mut random = Random(seed);
                let (model, rows) = (model(&mut random), *random.pick(&ROWS));
                let inputs = inputs(&mut random, model.widths(), rows, target.precision);
                let weights =
                    (0..model.config().tasks.len()).map(|_| f64::from(random.signed() * 50.0)).collect();
                let case = Case::from_inputs(&format!("seed {seed}"), &model, rows, weights, inputs).unwrap();
                let comparison = case.check(&target.scorer(&model, rows + random.below(40))).unwrap();
                assert!(comparison.passed(), "seed {seed}: {:?}: {}", model.config(), comparison.failures());
            })
        })
        .collect()
}

/// A model of random shape with seeded weights.
pub fn model(random: &mut Random) -> Model {
    let size = |random: &mut Random| *random.pick(&SIZES);
    let embedding = size(random);
    let widths = Widths {
        continuous: 1 + size(random),
        binary: 1 + random.below(20),
        user_embedding: if random.flip() { embedding } else { 0 },
        user_eng_embedding: if random.flip() { embedding } else { 0 },
        author_embedding: if random.flip() { embedding } else { 0 },
    };
    model_of(random, widths)
}

/// A model of random shape over inputs of these widths.
pub fn model_of(random: &mut Random, widths: Widths) -> Model {
    let sharing = *random.pick(&[Sharing::All, Sharing::Partial, Sharing::None]);
    let backbone = (sharing != Sharing::None).then(|| network(random, None));
    let tasks = (0..1 + random.below(5))
        .map(|index| Task {
            name: format!("recap.engagement.is_task_{index}"),
            tower: network(random, Some(1)),
            affine_map: (random.below(4) == 0)
                .then(|| AffineMap { scale: 1.0 + random.signed() * 0.5, bias: random.signed() }),
            calibration_ratio: *random.pick(&[1.0, 0.25, 0.01, 2.0]),
        })
        .collect();
    let featurization = Featurization {
        batch_norm: random.flip().then(|| BatchNorm { affine: random.flip() }),
        clip_magnitude: *random.pick(&[0.5, 3.0, 5.0, 10.0]),
        layer_norm: random
            .flip()
            .then(|| LayerNorm { epsilon: *random.pick(&[0.0, 1e-3, 1e-5]), affine: random.flip() }),
    };
    let config = ModelConfig { featurization, sharing, backbone, tasks, records: RecordsConfig::default() };
    Model::seeded(config, widths, random.next()).unwrap()
}

fn network(random: &mut Random, last: Option<usize>) -> Network {
    if random.flip() { Network::Mlp(mlp(random, last)) } else { Network::MaskNet(mask_net(random, last)) }
}

fn mlp(random: &mut Random, last: Option<usize>) -> Mlp {
    let mut layer_sizes: Vec<usize> = (0..1 + random.below(3)).map(|_| *random.pick(&SIZES)).collect();
    if let (Some(width), Some(size)) = (last, layer_sizes.last_mut()) {
        *size = width;
    }
    Mlp {
        layer_sizes,
        batch_norm: random.flip().then(|| BatchNorm { affine: random.flip() }),
        dropout: random.flip(),
        final_layer_activation: random.below(4) == 0,
    }
}

fn mask_net(random: &mut Random, last: Option<usize>) -> MaskNet {
    let blocks = 1 + random.below(3);
    let with_mlp = last.is_some() || random.flip();
    let mask_blocks = (0..blocks)
        .map(|_| MaskBlock {
            // A norm over very few features is 0/√epsilon-steep: it is a case of its own below.
            output_size: *random.pick(&SIZES[3..]),
            aggregation: if random.flip() {
                Aggregation::Size(*random.pick(&SIZES))
            } else {
                Aggregation::ReductionFactor(*random.pick(&[0.5, 1.0, 1.5]))
            },
            input_layer_norm: random.flip(),
        })
        .collect();
    MaskNet { mask_blocks, mlp: with_mlp.then(|| mlp(random, last)), use_parallel: random.flip() }
}

/// Inputs with the odd value that no feature store should produce.
pub fn inputs(
    random: &mut Random,
    widths: Widths,
    rows: usize,
    precision: Precision,
) -> BTreeMap<String, Vec<f32>> {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-40, -1e-45, 3e38, -3e38, f32::MAX];
    let mut map = BTreeMap::new();
    let continuous = (0..rows * widths.continuous)
        .map(|_| match random.below(24) {
            0 => *random.pick(&odd),
            _ => random.signed().powi(3) * 1000.0,
        })
        .collect();
    map.insert("continuous".to_owned(), continuous);
    let binary = (0..rows * widths.binary).map(|_| random.below(10) as f32).collect();
    map.insert("binary".to_owned(), binary);
    for (name, width) in EMBEDDINGS.into_iter().zip(widths.embeddings()) {
        // In f16 a value above 65,504 is not a number any more; the others hold it.
        let scale = if precision == Precision::F16 { 1.0 } else { *random.pick(&[1.0, 1.0, 1e-3, 1e3]) };
        map.insert(name.to_owned(), (0..rows * width).map(|_| random.signed() * scale).collect());
    }
    map
}

/// A model with all five inputs, each at least three wide.
pub fn with_every_input(random: &mut Random) -> Model {
    loop {
        let model = model(random);
        let widths = model.widths();
        let all = [widths.continuous, widths.binary].into_iter().chain(widths.embeddings());
        if all.into_iter().all(|width| width >= 3) {
            return model;
        }
    }
}

/// Shared by trials that need one model of every kind.
pub fn fixed(seed: u64) -> Arc<Model> {
    Arc::new(model(&mut Random(seed)))
}
