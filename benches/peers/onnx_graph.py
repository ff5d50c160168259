"""The model as an ONNX graph, for ONNX Runtime and OpenVINO."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from data import EMBEDDINGS, INPUTS

OPSET = 18


class Graph:
    def __init__(self):
        self.nodes, self.constants, self.count = [], [], 0

    def constant(self, array):
        self.count += 1
        name = f"c{self.count}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, kind, *inputs, outputs=1, **attributes):
        self.count += 1
        names = [f"v{self.count}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def linear(self, rows, weight, bias):
        """As MatMul and Add with the weight (in, out): what every optimizer recognises."""
        return self.add("Add", self.add("MatMul", rows, self.constant(weight.T)), self.constant(bias))

    def norm(self, rows, pair, epsilon):
        gamma, beta = pair
        return self.add(
            "LayerNormalization", rows, self.constant(gamma), self.constant(beta), axis=-1, epsilon=epsilon
        )


def build(layers, widths, bf16=False):
    """Bytes of a model with inputs (n, width) and outputs `logits` (n, tasks) and `scores` (n).

    With `bf16`, everything from x to the towers' second layer is typed bfloat16.
    """
    g = Graph()
    real = lambda values: g.constant(np.asarray(values, dtype=np.float32))
    zero = real(0.0)
    c = "continuous"
    odd = g.add("Or", g.add("IsNaN", c), g.add("IsInf", c))
    c = g.add("Where", odd, zero, c)
    c = g.add("Mul", g.add("Sign", c), g.add("Log", g.add("Add", g.add("Abs", c), real(1.0))))
    c = g.add("Add", g.add("Mul", c, real(layers.norm_scale)), real(layers.norm_shift))
    c = g.add("Clip", c, real(-layers.clip), real(layers.clip))
    z = g.add("Concat", c, "binary", axis=1)
    parts = [g.norm(z, layers.feature_norm, layers.feature_epsilon)]
    parts += [g.norm(name, pair, 1e-5) for name, pair in zip(EMBEDDINGS, layers.embedding_norms)]
    x = g.add("Concat", *parts, axis=1)

    narrow = (lambda v: g.add("Cast", v, to=TensorProto.BFLOAT16)) if bf16 else (lambda v: v)
    if bf16:
        plain = g.constant
        g.constant = lambda array: narrow(plain(array)) if array.dtype == np.float32 else plain(array)
    x = narrow(x)
    count = len(layers.projections)
    wide = g.add("Relu", g.linear(x, *layers.aggregation))
    wide = g.add("Split", wide, outputs=count, axis=1, num_outputs=count)
    blocks = []
    for part, projection, hidden, norm in zip(wide, layers.projections, layers.hiddens, layers.norms):
        masked = g.add("Mul", x, g.linear(part, *projection))
        blocks.append(g.norm(g.linear(masked, *hidden), norm, 1e-5))
    trunk = g.add("Relu", g.linear(g.add("Concat", *blocks, axis=1), *layers.backbone))
    first = g.add("Relu", g.linear(trunk, *layers.tower_first))
    second_in, second_out = layers.tower_second[0].shape[2], layers.tower_second[0].shape[1]
    shape = g.constant(np.asarray([0, layers.tasks, second_in], dtype=np.int64))
    first = g.add("Transpose", g.add("Reshape", first, shape), perm=[1, 0, 2])
    second = g.add("MatMul", first, g.constant(np.swapaxes(layers.tower_second[0], 1, 2)))
    second = g.add("Relu", g.add("Add", second, g.constant(layers.tower_second[1][:, None, :])))
    if bf16:
        second = g.add("Cast", second, to=TensorProto.FLOAT)
        g.constant = plain
    assert second_out == layers.tower_last[0].shape[1]
    last = g.add("MatMul", second, g.constant(layers.tower_last[0][:, :, None]))
    last = g.add("Add", last, g.constant(layers.tower_last[1][:, None, None]))
    last = g.add("Squeeze", last, g.constant(np.asarray([2], dtype=np.int64)))
    g.nodes.append(helper.make_node("Transpose", [last], ["logits"], perm=[1, 0]))
    calibrated = g.add("Sigmoid", g.add("Add", "logits", g.constant(layers.shift)))
    scores = g.add("MatMul", calibrated, g.constant(layers.score_weights[:, None]))
    g.nodes.append(
        helper.make_node("Squeeze", [scores, g.constant(np.asarray([1], dtype=np.int64))], ["scores"])
    )
    tensor = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    inputs = [tensor(name, ["n", widths[name]]) for name in INPUTS]
    outputs = [tensor("logits", ["n", layers.tasks]), tensor("scores", ["n"])]
    graph = helper.make_graph(g.nodes, "heavy_ranker", inputs, outputs, g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    return model.SerializeToString()
