"""ONNX Runtime on the CPU."""

import time

import numpy as np
import onnxruntime as ort

import onnx_graph
from data import INPUTS


class Peer:
    def __init__(self, layers, precision, threads, widths):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        graph = onnx_graph.build(layers, widths, bf16=precision == "bf16")
        self.session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.settings = [
            f"onnxruntime {ort.__version__}, {threads} intra-op threads that spin, 1 inter-op, sequential",
            "all graph optimizations, weights packed at load, denormals as zero",
            "inputs and outputs bound to memory of their own before the clock starts (IOBinding)",
        ]
        self.bindings = {}

    def prepare(self, inputs, n):
        values = {name: ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(inputs[name][:n])) for name in INPUTS}
        binding = self.session.io_binding()
        for name, value in values.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_output("logits", "cpu")
        binding.bind_output("scores", "cpu")
        self.bindings[n] = (binding, values)

    def score(self, n):
        binding, _ = self.bindings[n]
        start = time.perf_counter()
        self.session.run_with_iobinding(binding)
        return time.perf_counter() - start

    def outputs(self, n):
        self.score(n)
        logits, scores = (value.numpy() for value in self.bindings[n][0].get_outputs())
        return logits, scores
