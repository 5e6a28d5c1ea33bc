"""Measures AdditionInject at SD1.5's full sizes against the plain computation, on one 512 picture.

Variant A on a conditioned row, variant B on an unconditioned one.
"""

from __future__ import annotations

import sys
from typing import Any

from host import ROOT, finish, start

nodes = start()
sys.path.append(str(ROOT / "tests"))

import comfy.model_management as mm  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.injection.sampling.run import SamplingRun  # noqa: E402
from face_part_fusion.injection.unet.blocks import BLOCKS  # noqa: E402
from face_part_fusion.injection.unet.keys import WIDTHS, host_unet, ldm_names, unet_shapes  # noqa: E402
from fuse_models import draw, drawn, full_adapter, fused, gap, random_vae, unet_model  # noqa: E402
from support import plain_fuse_any_part as plain  # noqa: E402
from torch import Tensor  # noqa: E402

TIMESTEP = 501


def main() -> None:
    with torch.inference_mode():
        model = unet_model(host_unet(drawn(unet_shapes())), WIDTHS, 9, torch.float32)
        size = sum(p.numel() for p in model.model.diffusion_model.parameters())
        finish({"A": compared(model, "A", 0), "B": compared(model, "B", 1), "parameters": size})


def compared(model: Any, kind: str, chunk: int) -> dict[str, float]:
    """`chunk`: 0 for a conditioned row, 1 for an unconditioned one."""
    adapter, features = full_adapter(kind), fused("released", size=(512, 512), width=1280)
    patched, positive, _, _ = nodes["AdditionInject"].execute(
        model, adapter, features, random_vae(), strength=1.0, start_percent=0.0, end_percent=1.0, block_weights="",
        seed=0,
    ).args  # fmt: skip
    mm.load_models_gpu([patched, adapter.patcher])
    masked, x = positive[0][1]["noise_concat"], draw(1, 4, 64, 64, seed=1)
    ours, run = predicted(patched, x, chunk)
    row = torch.cat([x, masked[:, 1:], masked[:, :1]], 1)
    tokens = features.unconditioned if chunk else features.tokens
    predict, weights = {"A": (plain.predict_a, published_a), "B": (plain.predict_b, published_b)}[kind]
    theirs = predict(weights(model, adapter.module.state_dict()), row, TIMESTEP, tokens)
    return {"gap": gap(ours, theirs), "size": float(theirs.std()), "kept MB": run.kept_bytes / 1e6}


def predicted(patched: Any, x: Tensor, chunk: int) -> tuple[Tensor, SamplingRun]:
    base, run = patched.model, SamplingRun()
    options = patched.model_options["transformer_options"]
    addition = next(iter(options["wrappers"]["apply_model"].values()))[0].__self__
    sigma = base.model_sampling.sigmas[TIMESTEP]
    scaled = x * (1 + sigma**2) ** 0.5
    clean = base.apply_model(
        scaled, sigma.repeat(1), c_crossattn=torch.zeros(1, 77, 768),
        transformer_options={**options, "cond_or_uncond": [chunk], addition.key: run},
    )  # fmt: skip
    return (scaled - clean) / sigma, run


def published_unet(model: Any) -> dict[str, Tensor]:
    """The very tensors of the host's model in published names and order, so that they are held once."""
    held = model.model.diffusion_model.state_dict()
    unet = {name: held[ldm] for name, ldm in ldm_names().items()}
    unet["conv_in.weight"] = held["input_blocks.0.0.weight"][:, [0, 1, 2, 3, 5, 6, 7, 8, 4]]
    return unet


def published_a(model: Any, adapter: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    unet = published_unet(model)
    for block in BLOCKS:
        for kind in ("weight", "bias"):
            name = f"{block.diffusers_attention}.transformer_blocks.0.attn2.processor.image_projector.{kind}"
            unet[name] = adapter[f"image_projector.{block.name}.{kind}"]
    return {"unet": unet, "image_proj2": plain.part(adapter, "image_proj2.")}


def published_b(model: Any, adapter: dict[str, Tensor]) -> dict[str, Tensor]:
    weights = {f"unet.{name}": tensor for name, tensor in published_unet(model).items()}
    for block in BLOCKS:
        name, own = f"unet.{block.diffusers_resnet}", f"conv1d.{block.name}"
        # The alpha is in the adapter's weights already.
        weights[f"{name}.alpha"] = torch.ones(())
        weights |= {f"{name}.conv1d.weight": adapter[f"{own}.weight"][..., None]}
        weights |= {f"{name}.conv1d.bias": adapter[f"{own}.bias"]}
    return weights | {k: v for k, v in adapter.items() if k.startswith("image_proj_model.")}


main()
