"""PyTorch: eager and compiled, f32 and bf16."""

import os
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from data import EMBEDDINGS, INPUTS


class Ranker(nn.Module):
    def __init__(self, layers, dtype):
        super().__init__()
        self.dtype, self.layers_clip, self.epsilon = dtype, layers.clip, layers.feature_epsilon
        keep = lambda name, array, kind=torch.float32: self.register_buffer(
            name, torch.from_numpy(np.array(array)).to(kind).contiguous()
        )
        keep("norm_scale", layers.norm_scale)
        keep("norm_shift", layers.norm_shift)
        keep("feature_gamma", layers.feature_norm[0])
        keep("feature_beta", layers.feature_norm[1])
        for name, (gamma, beta) in zip(EMBEDDINGS, layers.embedding_norms):
            keep(f"{name}_gamma", gamma)
            keep(f"{name}_beta", beta)
        self.aggregation = linear(*layers.aggregation, dtype)
        self.projections = nn.ModuleList(linear(*pair, dtype) for pair in layers.projections)
        self.hiddens = nn.ModuleList(linear(*pair, dtype) for pair in layers.hiddens)
        for index, (gamma, beta) in enumerate(layers.norms):
            keep(f"block_{index}_gamma", gamma, dtype)
            keep(f"block_{index}_beta", beta, dtype)
        self.backbone = linear(*layers.backbone, dtype)
        self.tower_first = linear(*layers.tower_first, dtype)
        self.tasks = layers.tasks
        keep("second_weight", np.swapaxes(layers.tower_second[0], 1, 2), dtype)
        keep("second_bias", layers.tower_second[1][:, None, :], dtype)
        keep("last_weight", layers.tower_last[0][:, :, None])
        keep("last_bias", layers.tower_last[1][:, None, None])
        keep("shift", layers.shift)
        keep("score_weights", layers.score_weights)

    def forward(self, continuous, binary, user_embedding, user_eng_embedding, author_embedding):
        c = torch.nan_to_num(continuous, nan=0.0, posinf=0.0, neginf=0.0)
        c = torch.sign(c) * torch.log1p(torch.abs(c))
        c = torch.clamp(c * self.norm_scale + self.norm_shift, -self.layers_clip, self.layers_clip)
        z = torch.cat([c, binary], dim=1)
        parts = [F.layer_norm(z, z.shape[1:], self.feature_gamma, self.feature_beta, self.epsilon)]
        for name, rows in zip(EMBEDDINGS, (user_embedding, user_eng_embedding, author_embedding)):
            gamma, beta = getattr(self, f"{name}_gamma"), getattr(self, f"{name}_beta")
            parts.append(F.layer_norm(rows, rows.shape[1:], gamma, beta, 1e-5))
        x = torch.cat(parts, dim=1).to(self.dtype)
        wide = F.relu(self.aggregation(x)).chunk(len(self.projections), dim=1)
        blocks = []
        for index, (part, projection, hidden) in enumerate(zip(wide, self.projections, self.hiddens)):
            h = hidden(x * projection(part))
            gamma, beta = getattr(self, f"block_{index}_gamma"), getattr(self, f"block_{index}_beta")
            blocks.append(F.layer_norm(h, h.shape[1:], gamma, beta, 1e-5))
        trunk = F.relu(self.backbone(torch.cat(blocks, dim=1)))
        first = F.relu(self.tower_first(trunk)).view(trunk.shape[0], self.tasks, -1).transpose(0, 1)
        second = F.relu(torch.bmm(first, self.second_weight) + self.second_bias)
        # Last layer and head in f32, as everywhere: a rounded logit would cost small probabilities their digits.
        logits = (torch.bmm(second.float(), self.last_weight) + self.last_bias).squeeze(2).transpose(0, 1)
        scores = torch.sigmoid(logits + self.shift) @ self.score_weights
        return logits, scores


def linear(weight, bias, dtype):
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=dtype)
    layer.weight = nn.Parameter(torch.from_numpy(np.array(weight)).to(dtype), requires_grad=False)
    layer.bias = nn.Parameter(torch.from_numpy(np.array(bias)).to(dtype), requires_grad=False)
    return layer


class Peer:
    def __init__(self, layers, precision, threads, compiled):
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.settings = [
            f"torch {torch.__version__}, {torch.get_num_threads()} threads",
            "eval, inference_mode, batch norms folded, the four aggregations one Linear, the ten first tower layers one",
            "glibc keeps freed memory (MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_), transparent huge pages asked for",
        ]
        if precision == "bf16":
            self.settings.append("weights and activations bf16 from x on; features, last tower layer and head f32")
        self.model = Ranker(layers, torch.bfloat16 if precision == "bf16" else torch.float32).eval()
        self.compiled = compiled
        if compiled:
            import torch._inductor.config as inductor

            inductor.freezing = True
            self.settings.append("torch.compile(dynamic=False), inductor with freezing: weights packed for oneDNN")
            # One graph a shape, all of them kept.
            torch._dynamo.config.cache_size_limit = 64
            self.model = torch.compile(self.model, dynamic=False)
        self.batches = {}

    def prepare(self, inputs, n):
        self.batches[n] = [torch.from_numpy(np.ascontiguousarray(inputs[name][:n])) for name in INPUTS]

    def run(self, n):
        with torch.inference_mode():
            return self.model(*self.batches[n])

    def score(self, n):
        start = time.perf_counter()
        self.run(n)
        return time.perf_counter() - start

    def outputs(self, n):
        logits, scores = self.run(n)
        return logits.float().numpy(), scores.float().numpy()
