#!/usr/bin/env python3
"""PyTorch on the same weights and inputs: eager, compiled and graph-captured, outputs compared, then timed.

    python3 peers.py --model FOLDER --golden FOLDER --out peers.csv [--device cpu] [--sizes 1,1500]

Needs PyTorch and NumPy. Every form's logits are compared with the golden case's f64 logits before it is timed; a form
that is wrong, or that fails, is said and makes the exit code 1. On a GPU the products of the model are also timed
by themselves (cuBLAS), as the baseline of our own kernels.
"""

import argparse
import datetime
import json
import os
import re
import struct
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

COLUMNS = (
    "device,driver,commit,date,op,backend,dtype,shape,l2,kind,median_us,p10_us,p90_us,"
    "candidates_per_s,gb_per_s,tflop_per_s,baseline,ratio"
)
SIZES = [1, 16, 64, 256, 500, 1000, 1500, 2048, 4096, 8192, 16384]
# Compiling takes far longer than running; each size is compiled by itself.
COMPILED_SIZES = {1, 1500, 8192}
NAMES = ["continuous", "binary", "user_embedding", "user_eng_embedding", "author_embedding"]
SAMPLES = 30
SECONDS = 1.5
TYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64}
DTYPES = {"f32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def read_safetensors(path):
    """Tensors by name."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        array = np.frombuffer(data[start:end], dtype=TYPES[entry["dtype"]])
        tensors[name] = torch.from_numpy(array.reshape(entry["shape"]).copy())
    return tensors


class Ranker(torch.nn.Module):
    """The parallel MaskNet with shared backbone, from the tensors of its state_dict."""

    def __init__(self, tensors, tasks, epsilon, dtype):
        super().__init__()
        self.dtype, self.epsilon = dtype, epsilon
        # Batch norms are folded into the linear layer before them, as any deployment would.
        self.values = {name: t.float() for name, t in tensors.items() if t.is_floating_point()}
        first = "_preprocessor._before_concat_layers."
        self.norm = first + "2.layer."
        clamp = first + ("3." if self.norm + "running_mean" in self.values else "2.")
        self.low, self.high = (float(self.values[clamp + which]) for which in ("min_value", "max_value"))
        self.blocks = sorted({int(n) for n in re.findall(r"_backbone\._mask_blocks\.(\d+)\.", "\n".join(self.values))})
        self.trunk = self.mlp("_backbone._dense_layers.")
        self.towers = [self.mlp(f"_towers.{task.replace('.', '__')}.") for task in tasks]
        self.scale = self.shift = None
        if self.norm + "running_mean" in self.values:
            inverse = 1.0 / torch.sqrt(self.values[self.norm + "running_var"].double() + 1e-5)
            gain = inverse * self.values.get(self.norm + "weight", torch.ones(())).double()
            self.scale = gain.float()
            shift = self.values.get(self.norm + "bias", torch.zeros(())).double()
            self.shift = (shift - self.values[self.norm + "running_mean"].double() * gain).float()

    def mlp(self, prefix):
        """(weight, bias) of each linear layer, batch norm folded."""
        found = {int(n) for n in re.findall(re.escape(prefix) + r"layers\.(\d+)\.", "\n".join(self.values))}
        layers = []
        for index in sorted(found):
            name = f"{prefix}layers.{index}."
            if name + "running_mean" in self.values:
                gain = 1.0 / torch.sqrt(self.values[name + "running_var"].double() + 1e-5)
                gain = gain * self.values.get(name + "weight", torch.ones(())).double()
                weight, bias = layers.pop()
                bias = (bias.double() - self.values[name + "running_mean"].double()) * gain
                bias = bias + self.values.get(name + "bias", torch.zeros(())).double()
                layers.append(((weight.double() * gain[:, None]).float(), bias.float()))
            else:
                layers.append((self.values[name + "weight"], self.values[name + "bias"]))
        return layers

    def place(self, device):
        """Everything on the device; what the products read, in their type."""
        cast = lambda t: t.to(device=device, dtype=self.dtype)
        self.trunk = [(cast(w), cast(b)) for w, b in self.trunk]
        self.towers = [[(cast(w), cast(b)) for w, b in tower] for tower in self.towers]
        small = lambda name: "_layer_norm." in name or name.startswith("_preprocessor.layer_norm")
        self.values = {n: t.to(device) if small(n) else cast(t) for n, t in self.values.items()}
        if self.scale is not None:
            self.scale, self.shift = self.scale.to(device), self.shift.to(device)
        # The first layers of all towers are one product; the second ones a batched one.
        self.first = tuple(torch.cat([tower[0][i] for tower in self.towers]) for i in (0, 1))
        return self

    def features(self, continuous, binary, *embeddings):
        c = torch.where(torch.isfinite(continuous), continuous, 0.0)
        c = torch.sign(c) * torch.log1p(torch.abs(c))
        if self.scale is not None:
            c = c * self.scale + self.shift
        z = torch.cat([c.clamp(self.low, self.high), binary], dim=1)
        if "_preprocessor.layer_norm.layer.weight" in self.values:
            z = self.layer_norm(z, "_preprocessor.layer_norm.layer.", self.epsilon)
        parts = [z]
        for name, value in zip(NAMES[2:], embeddings):
            if value.shape[1] > 0:
                parts.append(self.layer_norm(value, f"_{name}_layer_norm.", 1e-5))
        return torch.cat(parts, dim=1).to(self.dtype)

    def layer_norm(self, x, prefix, epsilon):
        weight, bias = (self.values[prefix + which].float() for which in ("weight", "bias"))
        return F.layer_norm(x.float(), x.shape[1:], weight, bias, epsilon)

    def forward(self, *inputs):
        x = self.features(*inputs)
        outputs = []
        for block in self.blocks:
            linear = lambda v, name: F.linear(
                v,
                self.values[f"_backbone._mask_blocks.{block}.{name}.weight"],
                self.values[f"_backbone._mask_blocks.{block}.{name}.bias"],
            )
            mask = linear(torch.relu(linear(x, "_mask_layer.0")), "_mask_layer.2")
            hidden = linear(x * mask, "_hidden_layer")
            outputs.append(self.layer_norm(hidden, f"_backbone._mask_blocks.{block}._layer_norm.", 1e-5))
        y = torch.cat(outputs, dim=1).to(self.dtype)
        for weight, bias in self.trunk:
            y = torch.relu(F.linear(y, weight, bias))
        hidden = torch.relu(F.linear(y, *self.first)).chunk(len(self.towers), dim=1)
        logits = []
        for tower, h in zip(self.towers, hidden):
            for weight, bias in tower[1:-1]:
                h = torch.relu(F.linear(h, weight, bias))
            weight, bias = tower[-1]
            logits.append(F.linear(h.float(), weight.float(), bias.float()))
        return torch.cat(logits, dim=1)


def wait(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def sample(run, device):
    """Sorted seconds of calls."""
    for _ in range(3):
        run()
    wait(device)
    seconds, begin = [], time.perf_counter()
    while len(seconds) < SAMPLES and (len(seconds) < 3 or time.perf_counter() - begin < SECONDS):
        if device.type == "cuda":
            first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            first.record()
            run()
            last.record()
            last.synchronize()
            seconds.append(first.elapsed_time(last) / 1e3)
        else:
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
    return sorted(seconds)


def captured(model, inputs):
    """A CUDA graph of the model; the function that starts it, and its output."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            model(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = model(*inputs)
    return graph.replay, output


class Table:
    def __init__(self, device):
        self.device, self.lines = device, []
        if device.type == "cuda":
            self.name = torch.cuda.get_device_name(device)
            self.driver = f"torch {torch.__version__} CUDA {torch.version.cuda}"
        else:
            self.name, self.driver = "cpu", f"torch {torch.__version__}"

    def add(self, op, dtype, shape, kind, seconds, candidates=0, size=0, flops=0):
        at = lambda share: seconds[round((len(seconds) - 1) * share)]
        rate = lambda amount, unit: f"{amount / at(0.5) / unit:.3f}" if amount else ""
        fields = [
            self.name.replace(",", ";"),
            self.driver.replace(",", ";"),
            os.environ.get("MASKRANK_COMMIT", "unknown"),
            os.environ.get("MASKRANK_DATE", datetime.date.today().isoformat()),
            op,
            "pytorch",
            dtype,
            shape,
            "warm",
            kind,
            *(f"{at(share) * 1e6:.2f}" for share in (0.5, 0.1, 0.9)),
            rate(candidates, 1),
            rate(size, 1e9),
            rate(flops, 1e12),
            "",
            "",
        ]
        self.lines.append(",".join(fields))
        print(f"{op} {dtype} {shape} {kind}: {at(0.5) * 1e6:.1f} us", flush=True)

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join([COLUMNS, *self.lines]) + "\n")


def bound(precision, expected):
    """How far a logit may be off: f32's bound, and some roundings of the precision besides."""
    unit = {"f32": 0.0, "tf32": 2.0**-11, "f16": 2.0**-11, "bf16": 2.0**-8}[precision]
    size = expected.abs()
    return 3e-5 + 1e-5 * size + 32.0 * unit * (1.0 + size)


def model_flops(tensors):
    return 2 * sum(t.numel() for name, t in tensors.items() if t.dim() == 2 and name.endswith("weight"))


def forms(model, inputs, device):
    """Name, function that runs one batch, function that gives its logits."""
    yield "eager", lambda: model(*inputs), lambda: model(*inputs)
    if inputs[0].shape[0] in COMPILED_SIZES:
        torch._dynamo.reset()
        compiled = torch.compile(model, dynamic=False)
        yield "compiled", lambda: compiled(*inputs), lambda: compiled(*inputs)
    if device.type == "cuda":
        replay, output = captured(model, inputs)

        def result():
            replay()
            return output

        yield "graph", replay, result


def peers(arguments, table):
    device, golden = torch.device(arguments.device), arguments.golden
    tensors = read_safetensors(os.path.join(arguments.model, "model.safetensors"))
    with open(os.path.join(golden, "case.json"), encoding="utf-8") as file:
        case = json.load(file)
    with open(os.path.join(arguments.model, "config.yaml"), encoding="utf-8") as file:
        epsilon = re.search(r"layer_norm_config:[^}]*?epsilon: *([0-9.e+-]+)", file.read(), re.S)
    epsilon = float(epsilon.group(1)) if epsilon else 0.0
    rows = read_safetensors(os.path.join(golden, "inputs.safetensors"))
    empty = torch.zeros(case["rows"], 0)
    rows = [rows.get(name, empty).float() for name in NAMES]
    expected = read_safetensors(os.path.join(golden, "expected.safetensors"))["logits"].double()
    flops = model_flops(tensors)
    failures = 0
    for precision in arguments.precisions.split(","):
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        model = Ranker(tensors, case["tasks"], epsilon, DTYPES[precision]).place(device).eval()
        for count in [case["rows"], *arguments.sizes]:
            index = torch.arange(count) % case["rows"]
            inputs = [values[index].to(device) for values in rows]
            try:
                for kind, run, result in forms(model, inputs, device):
                    error = (result().double().cpu() - expected[index]).abs()
                    # In accept form, so that a NaN is not inside.
                    if not bool((error <= bound(precision, expected[index])).all()):
                        print(f"{kind} {precision} n{count}: logits are up to {float(error.max()):.2e} off")
                        failures += 1
                        continue
                    if count in arguments.sizes:
                        seconds = sample(run, device)
                        table.add("production", precision, f"n{count}", kind, seconds, count, 0, flops * count)
            except Exception as problem:  # a form that this machine cannot run must not hide the others
                print(f"{precision} n{count}: {type(problem).__name__}: {str(problem).splitlines()[0]}")
                failures += 1
    return failures


def products(arguments, table):
    """cuBLAS at each product of the production model, and at a large square one."""
    device = torch.device(arguments.device)
    shapes = [
        ("aggregation", 1, 4096, 2776),
        ("projection", 4, 2776, 1024),
        ("hidden", 4, 1024, 2776),
        ("backbone", 1, 2048, 4096),
        ("tower_1", 1, 2560, 2048),
        ("tower_2", 10, 128, 256),
        ("square", 1, 4096, 4096),
    ]
    for precision in arguments.precisions.split(","):
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        for name, groups, n, k in shapes:
            for m in arguments.sizes:
                a, b = (torch.randn(groups, r, k, device=device).to(DTYPES[precision]) for r in (m, n))
                run = lambda: torch.bmm(a, b.transpose(1, 2))
                size = a.element_size() * groups * (m * k + n * k + m * n)
                shape = f"m{m}_n{n}_k{k}_g{groups}"
                table.add(f"gemm_{name}", precision, shape, "cublas", sample(run, device), 0, size, 2 * groups * m * n * k)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--golden", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precisions", default="bf16,f16,tf32,f32")
    parser.add_argument("--sizes", default=SIZES, type=lambda text: [int(word) for word in text.split(",")])
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("peers: this PyTorch sees no CUDA device")
    table = Table(torch.device(arguments.device))
    with torch.inference_mode():
        failures = peers(arguments, table)
        table.write(arguments.out)
        if arguments.device == "cuda":
            products(arguments, table)
            table.write(arguments.out)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
