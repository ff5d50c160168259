//! The golden cases' `config.yaml` to a [`Spec`].

use maskrank_reference::Spec;
use maskrank_reference::spec::{
    AffineMap, Aggregation, BatchNorm, FeatureLayerNorm, MaskBlock, MaskNet, Mlp, Net, Sharing, Task,
};
use serde_norway::Value;

/// Reads the configuration; the widths come from `shapes` and the order of the tasks is compared with `tasks`, both of
/// `case.json`.
pub(crate) fn spec(text: &str, shapes: &serde_json::Value, tasks: &serde_json::Value) -> Spec {
    let config: Value = serde_norway::from_str(text).expect("config.yaml is YAML");
    let model = &config["model"];
    let features = &model["featurization_config"]["double_norm_log_config"];
    let width = |name: &str| shapes[name].as_u64().map(|width| width as usize);
    let spec = Spec {
        continuous: width("continuous").expect("case.json holds the continuous width"),
        binary: width("binary").expect("case.json holds the binary width"),
        user_embedding: width("user_embedding"),
        user_eng_embedding: width("user_eng_embedding"),
        author_embedding: width("author_embedding"),
        batch_norm: batch_norm(&features["batch_norm_config"]),
        clip_magnitude: float(&features["clip_magnitude"]),
        layer_norm: present(&features["layer_norm_config"]).map(|norm| {
            assert_eq!(norm["center"], norm["scale"]);
            FeatureLayerNorm { epsilon: float(&norm["epsilon"]), affine: boolean(&norm["center"]) }
        }),
        sharing: match model["multi_task_type"].as_str() {
            Some("share_all") => Sharing::ShareAll,
            Some("share_partial") => Sharing::SharePartial,
            Some("share_none") => Sharing::ShareNone,
            other => panic!("multi_task_type {other:?}"),
        },
        backbone: present(&model["backbone"]).map(net),
        tasks: model["tasks"]
            .as_mapping()
            .expect("tasks is a mapping")
            .iter()
            .map(|(name, value)| task(name.as_str().expect("a task has a name"), value, &config))
            .collect(),
    };
    let names: Vec<&str> = spec.tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(serde_json::json!(names), *tasks, "config.yaml and case.json order the tasks alike");
    spec
}

fn task(name: &str, value: &Value, config: &Value) -> Task {
    let rate = |which: &str| present(&config["train_data"]["tasks"][name][which]).map_or(1.0, float);
    Task {
        name: name.to_owned(),
        net: net(value),
        affine_map: present(&value["affine_map"])
            .map(|map| AffineMap { scale: float(&map["scale"]), bias: float(&map["bias"]) }),
        neg_downsampling_rate: rate("neg_downsampling_rate"),
        pos_downsampling_rate: rate("pos_downsampling_rate"),
    }
}

fn net(value: &Value) -> Net {
    match (present(&value["mask_net_config"]), present(&value["mlp_config"])) {
        (Some(net), None) => Net::MaskNet(MaskNet {
            blocks: net["mask_blocks"]
                .as_sequence()
                .expect("mask_blocks is a list")
                .iter()
                .map(mask_block)
                .collect(),
            mlp: present(&net["mlp"]).map(mlp),
            parallel: boolean(&net["use_parallel"]),
        }),
        (None, Some(value)) => Net::Mlp(mlp(value)),
        other => panic!("one of mask_net_config and mlp_config, got {other:?}"),
    }
}

fn mask_block(value: &Value) -> MaskBlock {
    MaskBlock {
        output_size: integer(&value["output_size"]),
        aggregation: match present(&value["reduction_factor"]) {
            Some(factor) => Aggregation::ReductionFactor(float(factor)),
            None => Aggregation::Size(integer(&value["aggregation_size"])),
        },
        input_layer_norm: boolean(&value["input_layer_norm"]),
    }
}

fn mlp(value: &Value) -> Mlp {
    Mlp {
        layer_sizes: value["layer_sizes"]
            .as_sequence()
            .expect("layer_sizes is a list")
            .iter()
            .map(integer)
            .collect(),
        batch_norm: batch_norm(&value["batch_norm"]),
        dropout: present(&value["dropout"]).is_some(),
        final_layer_activation: boolean(&value["final_layer_activation"]),
    }
}

fn batch_norm(value: &Value) -> Option<BatchNorm> {
    present(value).map(|norm| BatchNorm { affine: boolean(&norm["affine"]) })
}

/// A missing field reads as null, and null is absent.
fn present(value: &Value) -> Option<&Value> {
    (!value.is_null()).then_some(value)
}

fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("expected a number, got {value:?}"))
}

fn integer(value: &Value) -> usize {
    value.as_u64().unwrap_or_else(|| panic!("expected a whole number, got {value:?}")) as usize
}

fn boolean(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| panic!("expected true or false, got {value:?}"))
}
