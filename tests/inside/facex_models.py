"""Small UNets of a real host, FaceX controllers with random weights for them, and the equations written out.

For scripts beside this file, after `host.start()`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import comfy.model_patcher
import comfy.sample
import comfy.supported_models
import safetensors.torch
import torch
from face_part_fusion.detectors.motion import MOTION, NAMES
from face_part_fusion.injection.faces.identity import RECOGNISER
from face_part_fusion.injection.faces.motion_groups import PROVIDER
from face_part_fusion.injection.facex.adapters import VISION, Source
from face_part_fusion.injection.facex.control import block_channels
from face_part_fusion.injection.facex.file import new_controller, save_controller
from face_part_fusion.injection.facex.model import FaceXConfig, providers_of
from face_part_fusion.injection.facex.representation import FaceRepresentation
from face_part_fusion.injection.unet.blocks import BLOCKS
from face_part_fusion.nodes.host.controller import Settings
from face_part_fusion.nodes.host.facex import apply_facex, load_facex
from torch import Tensor

SIDE, STEPS = 8, 3
WIDTHS, CONTEXTS = {"sd15": 32, "sd2": 64}, {"sd15": 768, "sd2": 1024}
SOURCES = {
    "identity": Source(RECOGNISER, 3, 8),
    "region": Source(VISION, 8, 16),
    **{group: Source(PROVIDER, 1, len(values)) for group, values in MOTION.items()},
    "inpaint": Source(VISION, 4, 24),
}


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def small_unet_config(family: str) -> dict[str, Any]:
    return dict(
        image_size=32, in_channels=4, model_channels=WIDTHS[family], num_res_blocks=[2] * 4, channel_mult=(1, 2, 4, 4),
        transformer_depth=[1] * 6 + [0, 0], transformer_depth_middle=1, context_dim=CONTEXTS[family],
        use_spatial_transformer=True, legacy=False, use_linear_in_transformer=family == "sd2", adm_in_channels=None,
        dtype=torch.float32,
    )  # fmt: skip


def small_model(family: str) -> Any:
    known = {"sd15": comfy.supported_models.SD15, "sd2": comfy.supported_models.SD20}[family]
    config = small_unet_config(family) | {"out_channels": 4, "transformer_depth_output": [1] * 9 + [0] * 3}
    model = known(config).get_model({})
    randomise(model.diffusion_model, 1)
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)


def randomise(module: Any, seed: int, only: str = "") -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if only in name:
                noise = torch.randn(value.shape, generator=generator)
                value.copy_(noise / math.sqrt(value[0].numel()) if value.ndim > 1 else 0.1 * noise + 0.5)


def controller(family: str, base: Path, random: bool, seed: int = 3) -> Any:
    """For `small_model`."""
    return controller_of(FaceXConfig(family, block_channels(WIDTHS[family]), SOURCES), base, random, seed)


def controller_of(config: FaceXConfig, base: Path, random: bool, seed: int = 3) -> Any:
    """Through the file, as a user has it."""
    module = new_controller(config, seed)
    if random:
        randomise(module, seed, ".zero.")
    path = save_controller(module, base / f"{config.family}_{random}_{seed}.safetensors")
    with safetensors.safe_open(path, "pt") as file:
        return load_facex(safetensors.torch.load_file(path), file.metadata())


def face(count: int = 1, seed: int = 5) -> FaceRepresentation:
    config = FaceXConfig("sd15", {}, SOURCES)
    shapes = {name: (count, source.tokens, source.width) for name, source in SOURCES.items()}
    drawn = {name: draw(*shapes[name], seed=seed) for name in ("identity", "region", "inpaint")}
    return FaceRepresentation(
        regions=drawn["region"], present=torch.ones(count, 8, dtype=torch.bool), identity=drawn["identity"],
        inpaint=drawn["inpaint"], motion=draw(count, len(NAMES), seed=seed), providers=providers_of(config),
    )  # fmt: skip


def applied(
    model: Any, controller: Any, representation: FaceRepresentation, *, mask: Tensor | None = None, **settings: Any
) -> Any:
    """The model with the controller, at its full strength where `settings` do not say otherwise."""
    full = {"strength": 1.0, "start": 0.0, "end": 1.0, "block_weights": "", "owner": "a test"}
    return apply_facex(model, controller, representation, Settings(**full | settings), mask)


def sample(model: Any, family: str, count: int = 1, control: Any = None, steps: int = STEPS) -> Tensor:
    words = []
    for seed in (11, 12):
        more = {} if control is None else {"control": control, "control_apply_to_uncond": True}
        words.append([[draw(1, 7, CONTEXTS[family], seed=seed), more]])
    latent = torch.zeros(count, 4, SIDE, SIDE)
    noise = draw(count, 4, SIDE, SIDE, seed=9)
    return comfy.sample.sample(model, noise, steps, 5.0, "euler", "normal", *words, latent, seed=1, disable_pbar=True)


def gap(a: Tensor, b: Tensor) -> float:
    """The largest difference, in standard deviations of `b`."""
    return float((a - b).abs().max() / b.std())


class Plain:
    """The published equations written out in each block of a model, in the place of the block's own forward.

    What other nodes put before and after cross-attention comes first: the controller acts on what then is there.
    """

    def __init__(self, model: Any, held: Any, person: FaceRepresentation) -> None:
        self.unet = model.model.diffusion_model
        self.weights = {name: weight.clone() for name, weight in held.module.state_dict().items()}
        self.heads = {name: block.heads for name, block in held.module.control.blocks.items()}
        with torch.no_grad():
            self.face, self.empty = held.module.tokens(person)

    def __enter__(self) -> Plain:
        self.blocks = [self.unet.get_submodule(f"{b.attention}.transformer_blocks.0") for b in BLOCKS]
        for place, block in zip(BLOCKS, self.blocks, strict=True):
            block.forward = self.forward(place.name, block)
        return self

    def __exit__(self, *_: Any) -> None:
        for block in self.blocks:
            del block.forward

    def forward(self, name: str, block: Any) -> Any:
        def forward(x: Tensor, context: Tensor, transformer_options: dict[str, Any]) -> Tensor:
            chunks = transformer_options["cond_or_uncond"]
            each = len(x) // len(chunks)
            person = self.face if len(self.face) == each else self.face.repeat(each, 1, 1)
            tokens = torch.cat([self.empty.repeat(each, 1, 1) if c else person for c in chunks])
            x = x + block.attn1(block.norm1(x))
            x = x + self.attended(block, x, context, dict(transformer_options))
            x = x + self.extra(name, x, tokens)
            return x + block.ff(block.norm3(x))

        return forward

    @staticmethod
    def attended(block: Any, x: Tensor, context: Tensor, options: dict[str, Any]) -> Tensor:
        patches, n, value = options.get("patches", {}), block.norm2(x), context
        for patch in patches.get("attn2_patch", ()):
            n, context, value = patch(n, context, value, options)
        n = block.attn2(n, context=context, value=value, transformer_options=options)
        for patch in patches.get("attn2_output_patch", ()):
            n = patch(n, options)
        return n

    def extra(self, name: str, x: Tensor, tokens: Tensor) -> Tensor:
        def weight(key: str) -> Tensor:
            return self.weights[f"control.blocks.{name}.{key}"]

        mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
        n = (x - mean) / (variance + 1e-5).sqrt() * weight("norm.weight") + weight("norm.bias")
        q, k, v = n @ weight("to_q.weight").T, tokens @ weight("to_k.weight").T, tokens @ weight("to_v.weight").T
        each = x.shape[-1] // self.heads[name]
        out = []
        for h in range(self.heads[name]):
            part = slice(h * each, (h + 1) * each)
            scores = q[..., part] @ k[..., part].transpose(1, 2) / math.sqrt(each)
            out.append(scores.softmax(-1) @ v[..., part])
        mixed = torch.cat(out, -1) @ weight("to_out.weight").T + weight("to_out.bias")
        return mixed @ weight("zero.weight").T + weight("zero.bias")
