"""The folder that every contender reads: weights, inputs and facts, written once by `cargo xtask peers`.

facts.json            names, widths, constants of the featurization, score weights
model.safetensors     the state dict of the released layout, f32
inputs/NAME.f32       raw features, (rows, width), row-major, little-endian
"""

import json
from pathlib import Path

import numpy as np

EMBEDDINGS = ("user_embedding", "user_eng_embedding", "author_embedding")
INPUTS = ("continuous", "binary", *EMBEDDINGS)


class Data:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.facts = json.loads((self.folder / "facts.json").read_text())
        self.tensors = read_safetensors(self.folder / "model.safetensors")

    def inputs(self):
        """Every input, (rows, width)."""
        rows = self.facts["rows"]
        read = lambda name: np.fromfile(self.folder / "inputs" / f"{name}.f32", dtype="<f4").reshape(rows, -1)
        return {name: read(name) for name in INPUTS}


def read_safetensors(path):
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    length = int.from_bytes(bytes(raw[:8]), "little")
    header = json.loads(bytes(raw[8 : 8 + length]))
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue  # counters of batch norms are not used
        begin, end = entry["data_offsets"]
        values = raw[8 + length + begin : 8 + length + end].view("<f4")
        tensors[name] = values.reshape(entry["shape"])
    return tensors


class Layers:
    """The model as the peers run it: batch norms folded, products of one input joined.

    A generous form: what a careful user of these libraries would write by hand. All arrays are f32, linear weights
    are (out, in).
    """

    def __init__(self, data):
        facts, tensors = data.facts, data.tensors
        get = lambda name: np.asarray(tensors[name], dtype=np.float32)
        pre = "_preprocessor._before_concat_layers.2.layer."
        scale = get(pre + "weight") / np.sqrt(get(pre + "running_var") + np.float32(1e-5))
        self.norm_scale = scale
        self.norm_shift = get(pre + "bias") - get(pre + "running_mean") * scale
        self.clip = float(facts["clip_magnitude"])
        self.feature_norm = (get("_preprocessor.layer_norm.layer.weight"), get("_preprocessor.layer_norm.layer.bias"))
        self.feature_epsilon = float(facts["feature_epsilon"])
        self.embedding_norms = [
            (get(f"_{name}_layer_norm.weight"), get(f"_{name}_layer_norm.bias")) for name in EMBEDDINGS
        ]
        blocks = range(facts["mask_blocks"])
        part = lambda k, name: get(f"_backbone._mask_blocks.{k}.{name}")
        self.aggregation = (
            np.concatenate([part(k, "_mask_layer.0.weight") for k in blocks]),
            np.concatenate([part(k, "_mask_layer.0.bias") for k in blocks]),
        )
        self.projections = [(part(k, "_mask_layer.2.weight"), part(k, "_mask_layer.2.bias")) for k in blocks]
        self.hiddens = [(part(k, "_hidden_layer.weight"), part(k, "_hidden_layer.bias")) for k in blocks]
        self.norms = [(part(k, "_layer_norm.weight"), part(k, "_layer_norm.bias")) for k in blocks]
        dense = "_backbone._dense_layers.layers.0."
        self.backbone = (get(dense + "weight"), get(dense + "bias"))
        towers = [f"_towers.{task.replace('.', '__')}.layers." for task in facts["tasks"]]
        places = [linears_and_norms(tensors, t) for t in towers]
        firsts = [folded(tensors, linears[0], norms[0]) for linears, norms in places]
        seconds = [folded(tensors, linears[1], norms[1]) for linears, norms in places]
        self.tower_first = tuple(np.concatenate(parts) for parts in zip(*firsts))
        self.tower_second = tuple(np.stack(parts) for parts in zip(*seconds))
        self.tower_last = (
            np.concatenate([get(linears[2] + "weight") for linears, _ in places]),
            np.concatenate([get(linears[2] + "bias") for linears, _ in places]),
        )
        self.tasks = len(towers)
        self.shift = np.log(np.asarray(facts["calibration_ratios"], dtype=np.float32))
        self.score_weights = np.asarray(facts["score_weights"], dtype=np.float32)


def linears_and_norms(tensors, tower):
    """Names of a tower's linear layers and batch norms, in order: a dropout moves the numbers of those after it."""
    numbers = sorted({int(name[len(tower) :].split(".")[0]) for name in tensors if name.startswith(tower)})
    modules = [f"{tower}{number}." for number in numbers]
    norms = [module for module in modules if module + "running_var" in tensors]
    return [module for module in modules if module not in norms], norms


def folded(tensors, linear, norm):
    """A linear layer and the batch norm after it as one linear layer."""
    wide = lambda name: np.asarray(tensors[name], dtype=np.float64)
    scale = 1.0 / np.sqrt(wide(norm + "running_var") + 1e-5)
    scale = scale * wide(norm + "weight") if norm + "weight" in tensors else scale
    shift = wide(norm + "bias") if norm + "bias" in tensors else 0.0
    weight = wide(linear + "weight") * scale[:, None]
    bias = (wide(linear + "bias") - wide(norm + "running_mean")) * scale + shift
    return weight.astype(np.float32), bias.astype(np.float32)
