"""Random weights in the layouts in which face swappers are published, and the same networks as plain computations.

Layouts are spelt out here on their own, so that a mistake in the pack's modules shows.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from support.network_weights import IRESNETS, Shapes, _norm, filled, iresnet_shapes, plain_iresnet

Weights = dict[str, Tensor]
# in, out and attributes of each block
BLOCKS = (
    (1024, 1024, 1024), (1024, 1024, 2048), (1024, 1024, 1024), (1024, 512, 512),
    (512, 256, 256), (256, 128, 128), (128, 64, 64), (64, 3, 64),
)  # fmt: skip
DOWN = ((3, 32), (32, 64), (64, 128), (128, 256), (256, 512), (512, 1024), (1024, 1024))
UP = ((1024, 1024), (2048, 512), (1024, 256), (512, 128), (256, 64), (128, 32))


def aei_shapes(width: int) -> Shapes:
    shapes: Shapes = {}
    for n, (a, b) in enumerate(DOWN, 1):
        shapes |= {f"encoder.conv{n}.0.weight": (b, a, 4, 4), **_norm(f"encoder.conv{n}.1", b)}
    for n, (a, b) in enumerate(UP, 1):
        shapes |= {f"encoder.deconv{n}.deconv.weight": (a, b, 4, 4), **_norm(f"encoder.deconv{n}.bn", b)}
    shapes |= {"generator.up1.weight": (width, 1024, 2, 2), "generator.up1.bias": (1024,)}
    for n, (a, b, z) in enumerate(BLOCKS, 1):
        at = f"generator.AADBlk{n}"
        for layer in (1, 2, 3) if a != b else (1, 2):
            aad = f"{at}.AAD{layer}"
            for conv in ("conv1", "conv2"):
                shapes |= {f"{aad}.{conv}.weight": (a, z, 1, 1), f"{aad}.{conv}.bias": (a,)}
            for fc in ("fc1", "fc2"):
                shapes |= {f"{aad}.{fc}.weight": (a, width), f"{aad}.{fc}.bias": (a,)}
            shapes |= {f"{aad}.conv_h.weight": (1, a, 1, 1), f"{aad}.conv_h.bias": (1,)}
            shapes[f"{at}.conv{layer}.weight"] = (a if layer == 1 else b, a, 3, 3)
    return shapes


def simswap_shapes(width: int) -> Shapes:
    shapes: Shapes = {}

    def conv(name: str, a: int, b: int, side: int) -> None:
        shapes.update({f"{name}.weight": (b, a, side, side), f"{name}.bias": (b,)})

    conv("first_layer.1", 3, 64, 7)
    shapes.update(_norm("first_layer.2", 64))
    for n, (a, b) in enumerate(((64, 128), (128, 256), (256, 512)), 1):
        conv(f"down{n}.0", a, b, 3)
        shapes.update(_norm(f"down{n}.1", b))
        conv(f"up{n}.1", b, a, 3)
        shapes.update(_norm(f"up{n}.2", a))
    for n in range(9):
        for layer in (1, 2):
            conv(f"BottleNeck.{n}.conv{layer}.1", 512, 512, 3)
            style = f"BottleNeck.{n}.style{layer}.linear"
            shapes.update({f"{style}.weight": (1024, width), f"{style}.bias": (1024,)})
    conv("last_layer.1", 64, 3, 7)
    return shapes


def fixer_shapes() -> Shapes:
    whole = iresnet_shapes(IRESNETS["r50"], 128)
    return whole | {"fc.weight": (128, 8192)}


def thin(shapes: Shapes, seed: int = 0) -> Weights:
    """As `filled`, the large ones out of a few thousand random values each, so that a saved file is small."""
    draw, weights = torch.Generator().manual_seed(seed), {}
    weights |= filled({name: shape for name, shape in shapes.items() if len(shape) < 2}, seed)
    for name, shape in shapes.items():
        if len(shape) > 1:
            # Steps of a prime for each dimension: no two channels read the same values.
            steps = (13, 7, 3, 1)[: len(shape)]
            length = 1 + sum(step * (side - 1) for step, side in zip(steps, shape, strict=True))
            pool = torch.randn(length, generator=draw) / torch.Size(shape[1:]).numel() ** 0.5
            weights[name] = pool.as_strided(shape, steps)
    return weights


def published(kind: str, width: int, seed: int = 0) -> Weights:
    """What a published file of ReliableSwap holds, all networks in it, with `thin` weights."""
    shapes = aei_shapes(width) if kind == "FaceShifter" else simswap_shapes(width)
    state = {f"G.{key}": w for key, w in thin(shapes, seed).items()}
    state |= {f"iresnet.{key}": w for key, w in thin(iresnet_shapes(IRESNETS["r100"]), seed + 1).items()}
    if width == 640:
        state |= {f"mouth_net.backbone.{key}": w for key, w in thin(fixer_shapes(), seed + 2).items()}
        state |= {f"mouth_net.{key}": torch.ones(1, 3, 1, 1) for key in ("vgg_mean", "vgg_std")}
    if kind == "FaceShifter":
        matrix = [[1.07695457, -0.03625215, -1.56352194], [0.03625215, 1.07695457, -5.32134629]]
        state["trans_matrix"] = torch.tensor([matrix])
    return state


def plain_vector(w: Weights, x: Tensor, depths: tuple[int, ...]) -> Tensor:
    """A whole iresnet: map, flattened, a linear layer, a BatchNorm."""
    x = plain_iresnet(w, x, depths).flatten(1) @ w["fc.weight"].T + w["fc.bias"]
    mean, var = w["features.running_mean"], w["features.running_var"]
    return (x - mean) / (var + 1e-5).sqrt() * w["features.weight"] + w["features.bias"]


def _bn(w: Weights, name: str, x: Tensor) -> Tensor:
    at = [w[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")]
    return (x - at[0]) / (at[1] + 1e-5).sqrt() * at[2] + at[3]


def _leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.1 * x)


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def plain_attributes(w: Weights, x: Tensor) -> list[Tensor]:
    """z1 to z8."""
    kept = []
    for n in range(1, 8):
        x = _leaky(_bn(w, f"encoder.conv{n}.1", F.conv2d(x, w[f"encoder.conv{n}.0.weight"], None, 2, 1)))
        kept.append(x)
    maps = [kept[6]]
    for n in range(1, 7):
        up = F.conv_transpose2d(maps[-1], w[f"encoder.deconv{n}.deconv.weight"], None, 2, 1)
        maps.append(torch.cat([_leaky(_bn(w, f"encoder.deconv{n}.bn", up)), kept[6 - n]], 1))
    return [*maps, _twice(maps[-1])]


def plain_aei(w: Weights, maps: list[Tensor], v: Tensor) -> Tensor:
    """`maps`: z1 to z8, from `plain_attributes`."""

    def aad(name: str, x: Tensor, z: Tensor) -> Tensor:
        h = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
        ga, ba = (F.conv2d(z, w[f"{name}.{c}.weight"], w[f"{name}.{c}.bias"]) for c in ("conv1", "conv2"))
        gi, bi = ((v @ w[f"{name}.{c}.weight"].T + w[f"{name}.{c}.bias"])[:, :, None, None] for c in ("fc1", "fc2"))
        m = 1 / (1 + torch.exp(-F.conv2d(h, w[f"{name}.conv_h.weight"], w[f"{name}.conv_h.bias"])))
        return (1 - m) * (ga * h + ba) + m * (gi * h + bi)

    def step(at: str, layer: int, x: Tensor, z: Tensor) -> Tensor:
        return F.conv2d(aad(f"{at}.AAD{layer}", x, z).clamp_min(0), w[f"{at}.conv{layer}.weight"], None, 1, 1)

    x = F.conv_transpose2d(v[:, :, None, None], w["generator.up1.weight"], w["generator.up1.bias"])
    for n, z in enumerate(maps, 1):
        at, x = f"generator.AADBlk{n}", _twice(x) if n > 1 else x
        y = step(at, 2, step(at, 1, x, z), z)
        x = y + (step(at, 3, x, z) if f"{at}.conv3.weight" in w else x)
    return torch.tanh(x)


def plain_simswap(w: Weights, x: Tensor, v: Tensor) -> Tensor:
    def conv(name: str, x: Tensor, pad: int, stride: int = 1, mode: str = "constant") -> Tensor:
        return F.conv2d(F.pad(x, [pad] * 4, mode=mode), w[f"{name}.weight"], w[f"{name}.bias"], stride)

    def style(name: str, x: Tensor) -> Tensor:
        x = x - x.mean((2, 3), keepdim=True)
        x = x / (x.square().mean((2, 3), keepdim=True) + 1e-8).sqrt()
        s = (v @ w[f"{name}.linear.weight"].T + w[f"{name}.linear.bias"])[:, :, None, None]
        return x * (1 + s[:, :512]) + s[:, 512:]

    x = _bn(w, "first_layer.2", conv("first_layer.1", x, 3, mode="reflect")).clamp_min(0)
    for n in (1, 2, 3):
        x = _bn(w, f"down{n}.1", conv(f"down{n}.0", x, 1, 2)).clamp_min(0)
    for n in range(9):
        at = f"BottleNeck.{n}"
        y = style(f"{at}.style1", conv(f"{at}.conv1.1", x, 1, mode="reflect")).clamp_min(0)
        x = x + style(f"{at}.style2", conv(f"{at}.conv2.1", y, 1, mode="reflect"))
    for n in (3, 2, 1):
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = _bn(w, f"up{n}.2", conv(f"up{n}.1", x, 1)).clamp_min(0)
    return conv("last_layer.1", x, 3, mode="reflect")
