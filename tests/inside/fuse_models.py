"""FuseAnyPart models of a real host with random weights, and features to inject, for scripts beside this file.

After `host.start()`. Widths may be narrow, which the host's own detection would not take, so its classes are called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import comfy.model_patcher
import comfy.ops
import comfy.supported_models
import torch
from face_part_fusion.fusion.features.records import FusedFeatures, TargetPicture
from face_part_fusion.injection.fuse_any_part.adapters import CrossAttentionAdapter, ResnetAdapter
from face_part_fusion.injection.fuse_any_part.checkpoint import read_checkpoint
from face_part_fusion.injection.unet.blocks import BLOCKS
from face_part_fusion.nodes.host.patcher import FuseAdapter, managed
from small_encoders import random_vae as random_vae
from support.fuse_weights import random_fap
from torch import Tensor

NARROW = (32, 32, 64, 64)
TOKENS = 257
BOXES = {"eyes": (0.39, 0.31, 0.51, 0.70), "nose": (0.51, 0.43, 0.68, 0.56), "mouth": (0.68, 0.40, 0.75, 0.60)}


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@dataclass
class Fap:
    """One random checkpoint: published names, and the host's model and adapter of it."""

    kind: str
    published: Any
    model: Any
    adapter: FuseAdapter


def fap(kind: str, widths: Sequence[int] = NARROW, width: int = 64, dtype: torch.dtype = torch.float32) -> Fap:
    published = random_fap(kind, widths, 3, width)
    checkpoint = read_checkpoint(published, "random weights")
    module = (CrossAttentionAdapter if kind == "A" else ResnetAdapter)(
        checkpoint.channels, width, ops=comfy.ops.manual_cast, dtype=dtype
    )
    adapter = FuseAdapter(kind, width, managed(module, checkpoint.adapter))
    return Fap(kind, published, unet_model(checkpoint.host_unet(), widths, 9, dtype), adapter)


def unet_model(weights: dict[str, Tensor], widths: Sequence[int], channels: int, dtype: torch.dtype) -> Any:
    """A host MODEL of the family SD1.5 with these weights (LDM names)."""
    config = comfy.supported_models.SD15(
        {
            "image_size": 32, "in_channels": channels, "out_channels": 4, "model_channels": widths[0],
            "channel_mult": [w // widths[0] for w in widths], "num_res_blocks": [2] * 4, "context_dim": 768,
            "use_spatial_transformer": True, "legacy": False, "use_linear_in_transformer": False, "num_heads": 8,
            "num_head_channels": -1, "transformer_depth": [1] * 6 + [0] * 2, "adm_in_channels": None,
            "transformer_depth_output": [1] * 9 + [0] * 3, "transformer_depth_middle": 1, "dtype": dtype,
        }
    )  # fmt: skip
    config.set_inference_dtype(dtype, None)
    model = config.get_model({}, "")
    model.diffusion_model.load_state_dict(weights)
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(model.eval(), load_device=cpu, offload_device=cpu)


def full_adapter(kind: str) -> FuseAdapter:
    """At SD1.5's sizes."""
    wide = {"0": 320, "1": 640, "2": 1280}
    sides = {"down": lambda level: wide[level], "mid": lambda _: 1280, "up": lambda level: wide[str(3 - int(level))]}
    channels = {}
    for block in BLOCKS:
        side, *rest = block.diffusers_attention.replace("_", ".").split(".")
        channels[block.name] = sides[side](rest[1])
    made = CrossAttentionAdapter if kind == "A" else ResnetAdapter
    shapes = {name: tuple(t.shape) for name, t in made(channels, device="meta").state_dict().items()}
    return FuseAdapter(kind, 1280, managed(made(channels, ops=comfy.ops.manual_cast), drawn(shapes)))


def drawn(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Quickly made weights with which signals keep their size."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1 << 20, generator=generator)
    weights = {}
    for i, (name, shape) in enumerate(shapes.items()):
        size = torch.Size(shape).numel()
        # Repeating a stretch of an odd length gives every row another part of it.
        stretch = noise[i : i + 999_983]
        values = stretch.repeat(size // len(stretch) + 1)[:size].view(shape)
        scale = (size // shape[0]) ** -0.5 if len(shape) > 1 else 0.1
        weights[name] = values * scale + float(len(shape) < 2 and name.endswith("weight"))
    return weights


def fused(
    mode: str, count: int = 1, size: tuple[int, int] = (128, 128), width: int = 64, seed: int = 7
) -> FusedFeatures:
    """`count` pictures of `size` pixels. In practical mode the view is a window within the picture."""
    rows = torch.linspace(0, 1, size[0])[:, None].expand(size)
    columns = torch.linspace(0, 1, size[1]).expand(size)
    picture = torch.stack([rows, columns, (rows * columns * 20) % 1], -1).repeat(count, 1, 1, 1)
    boxes = {part: torch.tensor(box).repeat(count, 1) for part, box in BOXES.items()}
    mask = ((rows > 0.39) & (rows < 0.75) & (columns > 0.31) & (columns < 0.7)).float().repeat(count, 1, 1)
    cells = torch.arange(16).add(0.5).div(16)
    parts = {
        part: ((cells > y0) & (cells < y1)).float()[:, None].mul((cells > x0) & (cells < x1)).repeat(count, 1, 1)
        for part, (y0, x0, y1, x1) in BOXES.items()
    }
    view = (0.0, 0.0, 1.0, 1.0) if mode == "released" else (0.1, 0.15, 0.93, 0.9)
    painted = picture * (1 - mask[..., None]) + 0.7 * mask[..., None]
    return FusedFeatures(
        mode=mode, tokens=draw(count, TOKENS, width, seed=seed), unconditioned=draw(1, TOKENS, width, seed=99),
        grid=(16, 16), classes=1, encoder="random", parts=parts, origin=torch.zeros(count, 16, 16).long(),
        target=TargetPicture(picture, painted, torch.tensor(view).repeat(count, 1), boxes, mask),
    )  # fmt: skip


def gap(a: Tensor, b: Tensor) -> float:
    """The largest difference."""
    return float((a.float() - b.float()).abs().max())
