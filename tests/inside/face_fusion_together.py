"""Measures Face Fusion in a real host beside other patches of the same model: `face_fusion_together.py HOST BASE`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host import ROOT, finish, says, start

nodes = start()
sys.path.append(str(ROOT / "tests"))

import comfy.cldm.cldm  # noqa: E402
import comfy.controlnet  # noqa: E402
import comfy.ops  # noqa: E402
import torch  # noqa: E402
from comfy_extras.nodes_freelunch import FreeU_V2  # noqa: E402
from comfy_extras.nodes_hypertile import HyperTile  # noqa: E402
from comfy_extras.nodes_model_downscale import PatchModelAddDownscale  # noqa: E402
from comfy_extras.nodes_pag import PerturbedAttentionGuidance  # noqa: E402
from comfy_extras.nodes_tomesd import TomePatchModel  # noqa: E402
from face_fusion_models import HEIGHT, WIDTH, People, Plain, draw, gap, half, referring  # noqa: E402
from face_part_fusion.injection.face_fusion.file import new_projections, save_projections  # noqa: E402
from face_part_fusion.injection.face_fusion.layers import transformer_layers  # noqa: E402
from face_part_fusion.injection.fuse_any_part import latents  # noqa: E402
from face_part_fusion.injection.ip_adapter.regional_attention import Steering  # noqa: E402
from face_part_fusion.injection.sampling.masked_fusion import make_layer, make_mix  # noqa: E402
from face_part_fusion.nodes.controller_load import load_controller  # noqa: E402
from face_part_fusion.nodes.host.attention import steer_model  # noqa: E402
from face_part_fusion.nodes.host.face_fusion import load_projections  # noqa: E402
from face_part_fusion.nodes.host.masked_fusion import add_layer  # noqa: E402
from fuse_models import fap, fused, random_vae  # noqa: E402
from guider_kinds import run, usual  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from small_unets import random_words, small_unet  # noqa: E402
from support.ip_adapter_weights import random_ip_adapter  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)
latents.SHORTEST = 128
BASE = Path(sys.argv[2])
LATENT = draw(1, 4, HEIGHT, WIDTH, seed=3)
WORDS = [random_words("sd15", seed) for seed in (11, 12)]
LEFT, RIGHT = half(True), half(False)
MODEL = small_unet("sd15")
Patch = Callable[[Any], Any]


def done(model: Any, words: Any = None, latent: Tensor = LATENT) -> Tensor:
    torch.manual_seed(0)  # of nodes that draw at random
    return run(usual(model, *(words or WORDS)), latent)


def beside(patch: Patch, words: Any = None) -> list[float]:
    """How far two people are from the equations written out in the patched model, and what they change in it."""
    patched, people = patch(MODEL), People((LEFT, RIGHT), (1, 1))
    both, alone = done(referring(patched, people), words), done(patched, words)
    # Half a cell lies in the picture's left half where a grid has one column.
    with Plain(patched, people, lambda p, y, x: 0.5 if x == 0.5 else float((x < 0.5) == (p == 0))):
        return [gap(both, done(patched, words)), gap(both, alone)]


def either_order(
    patch: Patch, model: Any = MODEL, words: Any = None, latent: Tensor = LATENT, **more: Any
) -> list[float]:
    """The difference that the order makes; what the people change; what the patch changes."""
    people = People()
    before = done(referring(patch(model), people, **more), words, latent)
    behind = done(patch(referring(model, people, **more)), words, latent)
    return [
        gap(before, behind), gap(before, done(patch(model), words, latent)),
        gap(before, done(referring(model, people, **more), words, latent)),
    ]  # fmt: skip


def lora(model: Any) -> Any:
    clone = model.clone()
    places = ("input_blocks.1.1", "middle_block.1", "output_blocks.3.1")
    keys = [f"diffusion_model.{place}.transformer_blocks.0.attn1.to_k.weight" for place in places]
    assert len(clone.add_patches({k: (draw(*shape(k), seed=4) / shape(k)[0] ** 0.5,) for k in keys}, 1.0)) == 3
    return clone


def shape(key: str) -> tuple[int, ...]:
    return tuple(MODEL.model.get_parameter(key).shape)


def control_words() -> list[Any]:
    config = {
        k: v
        for k, v in MODEL.model.model_config.unet_config.items()
        if k not in ("out_channels", "transformer_depth_output")
    }
    net = comfy.cldm.cldm.ControlNet(hint_channels=3, operations=comfy.ops.manual_cast, device="cpu", **config)
    with torch.no_grad():
        for i, value in enumerate(net.parameters()):
            noise = draw(*value.shape, seed=i)
            value.copy_(noise / value[0].numel() ** 0.5 if value.ndim > 1 else 0.1 * noise + 0.5)
    control = comfy.controlnet.ControlNet(net, load_device=torch.device("cpu"), manual_cast_dtype=torch.float32)
    control.set_cond_hint(draw(1, 3, 8 * HEIGHT, 8 * WIDTH).sigmoid(), 0.2)
    more = {"control": control, "control_apply_to_uncond": True}
    return [[[text, {**own, **more}]] for ((text, own),) in WORDS]


def tiled(model: Any) -> Any:
    """As nodes for tiled diffusion do: the model computes two halves, one after the other."""
    clone = model.clone()

    def wrapper(apply: Any, call: dict[str, Any]) -> Tensor:
        halves = call["input"].chunk(2, 2)
        return torch.cat([apply(each, call["timestep"], **call["c"]) for each in halves], 2)

    clone.set_model_unet_function_wrapper(wrapper)
    return clone


def parity() -> dict[str, list[float]]:
    return {
        "lora": beside(lora),
        "control net": beside(lambda model: model, control_words()),
        "freeu": beside(lambda model: FreeU_V2.execute(model, 1.3, 1.4, 0.9, 0.2)[0]),
        "kohya": beside(lambda m: PatchModelAddDownscale.execute(m, 3, 2.0, 0.0, 1.0, True, "bilinear", "bilinear")[0]),
        "output blocks": beside(output_patch),
        "input blocks": beside(input_patch),
    }


def output_patch(model: Any) -> Any:
    clone = model.clone()
    clone.set_model_output_block_patch(lambda h, skip, options: (h * 1.1, skip * 0.9))
    return clone


def input_patch(model: Any) -> Any:
    clone = model.clone()
    clone.set_model_input_block_patch(lambda h, options: h * 1.05)
    return clone


def adapter() -> Any:
    file = BASE / "ip-adapter-plus_sd15.safetensors"
    save_file(random_ip_adapter("sd15", "plus", base=32, inner=128, seed=3), file)
    return load_controller(str(file))


def steered(controller: Any) -> Patch:
    steering = Steering("left", draw(1, 9, 1280, seed=1), draw(1, 9, 1280, seed=2), LEFT, 1.0)
    return lambda model: steer_model(model, controller, [steering], block_weights="")


def trained() -> Any:
    layers = {layer.name: width for layer, width in transformer_layers(MODEL.model.diffusion_model).items()}
    module = new_projections("sd15", layers)
    with torch.inference_mode(False), torch.no_grad():
        for i, each in enumerate(module.layers.values()):
            each.to_v.weight.copy_(draw(*each.to_v.weight.shape, seed=i) / each.to_v.weight.shape[0] ** 0.5)
    return load_projections(str(save_projections(module, BASE / "trained.safetensors")))


def orders() -> dict[str, list[float]]:
    steer = steered(adapter())
    result = {
        "ip-adapter": either_order(steer),
        "ip-adapter, trained": either_order(steer, projections=trained()),
        "perturbed attention": either_order(lambda model: PerturbedAttentionGuidance.execute(model, 3.0)[0]),
    }
    vae = random_vae()
    for kind in "AB":
        f = fap(kind)
        made = inject(f, f.model, vae)

        def patch(model: Any, f: Any = f) -> Any:
            return inject(f, model, vae)[0]

        result[f"addition {kind}"] = either_order(
            patch, f.model, [made[1], made[2]], made[3]["samples"][:, :, :HEIGHT, :HEIGHT]
        )
    return result


def inject(f: Any, model: Any, vae: Any) -> tuple[Any, ...]:
    return tuple(nodes["AdditionInject"].execute(
        model=model, adapter=f.adapter, fused=fused("practical"), vae=vae, strength=1.0, start_percent=0.0,
        end_percent=1.0, block_weights="", seed=4,
    ).args)  # fmt: skip


def held() -> dict[str, float]:
    """How far what is held is from its source: not at all, though people change the rest."""
    source, other = draw(1, 4, HEIGHT, WIDTH, seed=41), draw(1, 4, HEIGHT, WIDTH, seed=42)
    layer = make_layer(source, LEFT, 0.0, 1.0, True)
    top, bottom = torch.zeros(1, 8 * HEIGHT, 8 * WIDTH), torch.zeros(1, 8 * HEIGHT, 8 * WIDTH)
    top[:, : 3 * HEIGHT], bottom[:, 5 * HEIGHT :] = 1, 1
    mix = make_mix([(source, top), (other, bottom)], "mix first", 0.0, 1.0, True)
    people = People()
    fused_part, mixed = (
        done(add_layer(referring(MODEL, people), layer)),
        done(referring(add_layer(MODEL, *mix), people)),
    )
    if gap(fused_part, done(add_layer(MODEL, layer))) < 1e-3 or gap(mixed, done(add_layer(MODEL, *mix))) < 1e-3:
        raise RuntimeError("people change nothing")
    rows = 3 * HEIGHT // 8
    return {
        "masked fusion": float((fused_part - source)[..., WIDTH // 2 :].abs().max()),
        "semantic mix": float(torch.cat([(mixed - source)[:, :, :rows], (mixed - other)[:, :, -rows:]]).abs().max()),
    }


def tokens() -> dict[str, dict[str, Any]]:
    result = {}
    for name, patch in {
        "hypertile": lambda model: HyperTile.execute(model, 32, 1, 0, False)[0],
        "token merging": lambda model: TomePatchModel.execute(model, 0.5)[0],
        "tiled": tiled,
    }.items():
        patched = patch(MODEL)
        acts = gap(done(referring(patched, People())), done(patched))
        regional = referring(patched, People((LEFT, RIGHT), (1, 1)))
        result[name] = {"acts": acts, "region": says(lambda model=regional: done(model))}
    return result


with torch.inference_mode():
    finish({
        "parity": parity(), "either order": orders(), "held": held(), "tokens": tokens(),
        "added": says(lambda: referring(MODEL, People(), projections=trained()).model_options["transformer_options"][
            "patches_replace"]["attn2"]["middle", 0].add()),
    })  # fmt: skip
