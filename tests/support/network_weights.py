"""Random weights in the layouts in which face networks are published, and the same networks as plain computations.

Layouts are spelt out here on their own, so that a mistake in the pack's modules shows. For tests here and for scripts
of `inside/`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

Shapes = dict[str, tuple[int, ...]]
IRESNETS = {"r18": (2, 2, 2, 2), "r34": (3, 4, 6, 3), "r50": (3, 4, 14, 3), "r100": (3, 13, 30, 3)}
HEADS = (80, 64, 80, 3, 27, 2, 1)


def filled(shapes: Shapes, seed: int = 0, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Weights with which signals keep their size, and BatchNorms whose every number matters."""
    draw, weights = torch.Generator().manual_seed(seed), {}
    for name, shape in shapes.items():
        noise = torch.randn(shape, generator=draw)
        if name.endswith("num_batches_tracked"):
            weights[name] = torch.tensor(7)
        elif len(shape) > 1:
            weights[name] = (noise / noise[0].numel() ** 0.5).to(dtype)
        elif name.endswith("running_var"):
            weights[name] = (noise.abs() + 0.5).to(dtype)
        else:
            weights[name] = (0.1 * noise + (0.5 if name.endswith("weight") else 0.0)).to(dtype)
    return weights


def _norm(name: str, width: int) -> Shapes:
    values = {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}
    return {**values, f"{name}.num_batches_tracked": ()}


def iresnet_shapes(depths: tuple[int, ...], vector: int = 512) -> Shapes:
    """arcface_torch's backbone.pth."""
    shapes = {"conv1.weight": (64, 3, 3, 3), **_norm("bn1", 64), "prelu.weight": (64,)}
    inside = 64
    for stage, depth in enumerate(depths, 1):
        width = 32 * 2**stage
        for i in range(depth):
            at = f"layer{stage}.{i}"
            shapes |= {**_norm(f"{at}.bn1", inside), f"{at}.conv1.weight": (width, inside, 3, 3)}
            shapes |= {**_norm(f"{at}.bn2", width), f"{at}.prelu.weight": (width,)}
            shapes |= {f"{at}.conv2.weight": (width, width, 3, 3), **_norm(f"{at}.bn3", width)}
            if i == 0:
                shapes |= {f"{at}.downsample.0.weight": (width, inside, 1, 1), **_norm(f"{at}.downsample.1", width)}
            inside = width
    shapes |= {**_norm("bn2", 512), "fc.weight": (vector, 512 * 7 * 7), "fc.bias": (vector,)}
    return {**shapes, **_norm("features", vector)}


def deep3d_shapes() -> Shapes:
    """What 'net_recon' of epoch_20.pth holds."""
    shapes, inside = {"backbone.conv1.weight": (64, 3, 7, 7), **_norm("backbone.bn1", 64)}, 64
    for stage, depth in enumerate((3, 4, 6, 3), 1):
        width = 32 * 2**stage
        for i in range(depth):
            at = f"backbone.layer{stage}.{i}"
            for n, (a, b, size) in enumerate(((inside, width, 1), (width, width, 3), (width, 4 * width, 1)), 1):
                shapes |= {f"{at}.conv{n}.weight": (b, a, size, size), **_norm(f"{at}.bn{n}", b)}
            if i == 0:
                shapes |= {f"{at}.downsample.0.weight": (4 * width, inside, 1, 1)}
                shapes |= _norm(f"{at}.downsample.1", 4 * width)
            inside = 4 * width
    for i, width in enumerate(HEADS):
        shapes |= {f"final_layers.{i}.weight": (width, 2048, 1, 1), f"final_layers.{i}.bias": (width,)}
    return shapes


def _normed(w: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    mean, var, weight, bias = (w[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias"))
    column = (slice(None), None, None)
    return (x - mean[column]) / (var[column] + 1e-5).sqrt() * weight[column] + bias[column]


def _bypass(w: dict[str, Tensor], at: str, x: Tensor, stride: int) -> Tensor:
    if f"{at}.downsample.0.weight" not in w:
        return x
    return _normed(w, f"{at}.downsample.1", F.conv2d(x, w[f"{at}.downsample.0.weight"], stride=stride))


def plain_iresnet(w: dict[str, Tensor], x: Tensor, depths: tuple[int, ...]) -> Tensor:
    def bent(name: str, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, x * w[f"{name}.weight"][:, None, None])

    x = bent("prelu", _normed(w, "bn1", F.conv2d(x, w["conv1.weight"], padding=1)))
    for stage, depth in enumerate(depths, 1):
        for i in range(depth):
            at, stride = f"layer{stage}.{i}", 2 if i == 0 else 1
            y = F.conv2d(_normed(w, f"{at}.bn1", x), w[f"{at}.conv1.weight"], padding=1)
            y = F.conv2d(bent(f"{at}.prelu", _normed(w, f"{at}.bn2", y)), w[f"{at}.conv2.weight"], None, stride, 1)
            x = _normed(w, f"{at}.bn3", y) + _bypass(w, at, x, stride)
    return _normed(w, "bn2", x)


def plain_deep3d(w: dict[str, Tensor], x: Tensor) -> Tensor:
    x = F.conv2d(x, w["backbone.conv1.weight"], None, 2, 3)
    x = F.max_pool2d(_normed(w, "backbone.bn1", x).clamp_min(0), 3, 2, 1)
    for stage, depth in enumerate((3, 4, 6, 3), 1):
        for i in range(depth):
            at, stride = f"backbone.layer{stage}.{i}", 2 if i == 0 and stage > 1 else 1
            y = _normed(w, f"{at}.bn1", F.conv2d(x, w[f"{at}.conv1.weight"])).clamp_min(0)
            y = _normed(w, f"{at}.bn2", F.conv2d(y, w[f"{at}.conv2.weight"], None, stride, 1)).clamp_min(0)
            y = _normed(w, f"{at}.bn3", F.conv2d(y, w[f"{at}.conv3.weight"]))
            x = (y + _bypass(w, at, x, stride)).clamp_min(0)
    pooled = x.mean((2, 3))
    heads = [(w[f"final_layers.{i}.weight"][:, :, 0, 0], w[f"final_layers.{i}.bias"]) for i in range(len(HEADS))]
    return torch.cat([pooled @ weight.T + bias for weight, bias in heads], 1)
