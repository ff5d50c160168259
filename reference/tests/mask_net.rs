//! Ways to put mask blocks together that no golden case has: serial with dense layers, parallel without them.

use maskrank_reference::linear::linear;
use maskrank_reference::mask_block::{MaskBlock, mask_block};
use maskrank_reference::mask_net::mask_net;
use maskrank_reference::mlp::Role;
use maskrank_reference::seeded::{self, Seeded};
use maskrank_reference::spec::{self, Aggregation};
use maskrank_reference::{Kind, Matrix, Precision};

const SEED: u64 = 11;
const PRECISION: Precision = Precision::F64;

fn block(output_size: usize, input_layer_norm: bool) -> spec::MaskBlock {
    spec::MaskBlock { output_size, aggregation: Aggregation::Size(4), input_layer_norm }
}

fn run_block(index: usize, spec: spec::MaskBlock, net: &[f64], net_dim: usize, guide: &Matrix) -> Vec<f64> {
    let source = Seeded { seed: SEED };
    let name = format!("net._mask_blocks.{index}");
    let weights = MaskBlock::load(&source, &name, spec, net_dim, guide.width(), PRECISION).unwrap();
    mask_block(net, guide.values(), &weights, PRECISION)
}

fn drawn(name: &str, kind: Kind, shape: &[usize]) -> Vec<f64> {
    seeded::tensor(SEED, name, kind, shape).unwrap().into_iter().map(f64::from).collect()
}

fn input() -> Matrix {
    Matrix::new(3, 5, drawn("x", Kind::LinearWeight, &[3, 5]))
}

#[test]
fn serial_with_mlp() {
    let x = input();
    let blocks = [block(6, false), block(2, true)];
    let mlp =
        spec::Mlp { layer_sizes: vec![3], batch_norm: None, dropout: false, final_layer_activation: false };
    let net = spec::MaskNet { blocks: blocks.to_vec(), mlp: Some(mlp), parallel: false };
    let found = mask_net(&Seeded { seed: SEED }, "net", &net, &x, PRECISION, Role::Backbone).unwrap();

    let first = run_block(0, blocks[0], x.values(), 5, &x);
    let second = run_block(1, blocks[1], &first, 6, &x);
    let weight = drawn("net._dense_layers.layers.0.weight", Kind::LinearWeight, &[3, 2]);
    let bias = drawn("net._dense_layers.layers.0.bias", Kind::LinearBias, &[3]);
    assert_eq!(found.blocks[0].values(), first);
    assert_eq!(found.blocks[1].values(), second);
    assert_eq!(found.y.values(), linear(&second, &weight, &bias));
}

#[test]
fn parallel_without_mlp() {
    let x = input();
    let blocks = [block(2, true), block(3, false)];
    let net = spec::MaskNet { blocks: blocks.to_vec(), mlp: None, parallel: true };
    let found = mask_net(&Seeded { seed: SEED }, "net", &net, &x, PRECISION, Role::Backbone).unwrap();
    let parts = [0, 1].map(|index| run_block(index, blocks[index], x.values(), 5, &x));
    assert_eq!((found.y.rows(), found.y.width()), (3, 5));
    for row in 0..3 {
        assert_eq!(found.y.row(row)[..2], parts[0][2 * row..2 * row + 2]);
        assert_eq!(found.y.row(row)[2..], parts[1][3 * row..3 * row + 3]);
    }
}

/// Without dense layers the result is the blocks' unrounded outputs: it may be a logit. What is stored is rounded.
#[test]
fn blocks_are_stored_rounded_and_returned_exact() {
    let x = input();
    let bf16 = Precision::Bf16;
    for parallel in [true, false] {
        let net = spec::MaskNet { blocks: vec![block(2, true), block(3, false)], mlp: None, parallel };
        let found = mask_net(&Seeded { seed: SEED }, "net", &net, &x, bf16, Role::Tower).unwrap();
        let stored = if parallel {
            Matrix::concat(3, &[&found.blocks[0], &found.blocks[1]])
        } else {
            found.blocks[1].clone()
        };
        assert_ne!(found.y, stored, "parallel {parallel}");
        assert_eq!(found.y.rounded(bf16), stored, "parallel {parallel}");
    }
}
