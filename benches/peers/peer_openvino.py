"""OpenVINO on the CPU, its own choice of precision forced to what is asked for."""

import time

import numpy as np
import openvino as ov

import onnx_graph
from data import INPUTS


class Peer:
    def __init__(self, layers, precision, threads, widths):
        self.core = ov.Core()
        self.model = self.core.read_model(onnx_graph.build(layers, widths))
        self.widths = widths
        self.options = {
            "PERFORMANCE_HINT": "LATENCY",
            "EXECUTION_MODE_HINT": "PERFORMANCE",
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        options = ", ".join(f"{key}={value}" for key, value in self.options.items())
        self.settings = [
            f"openvino {ov.__version__.split('-')[0]}, {options}",
            "a model compiled for each number of candidates: fixed shapes are its fastest form",
        ]
        self.requests = {}

    def prepare(self, inputs, n):
        model = self.model.clone()
        model.reshape({name: [n, self.widths[name]] for name in INPUTS})
        request = self.core.compile_model(model, "CPU", self.options).create_infer_request()
        values = {name: np.ascontiguousarray(inputs[name][:n]) for name in INPUTS}
        for name, value in values.items():
            request.set_tensor(name, ov.Tensor(value, shared_memory=True))
        self.requests[n] = (request, values)

    def score(self, n):
        request, _ = self.requests[n]
        start = time.perf_counter()
        request.infer()
        return time.perf_counter() - start

    def outputs(self, n):
        self.score(n)
        request, _ = self.requests[n]
        return request.get_tensor("logits").data.copy(), request.get_tensor("scores").data.copy()
