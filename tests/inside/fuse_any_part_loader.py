"""Measures FuseAnyPartLoader in a real host: weights, predictions against diffusers, carrying over, errors."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from host import ROOT, finish, start

nodes = start()
sys.path.append(str(ROOT / "tests"))

import comfy.model_management as mm  # noqa: E402
import comfy.sd  # noqa: E402
import comfy.utils  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.injection.fuse_any_part.convert import convert  # noqa: E402
from random_models import random_model  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from support.fuse_weights import SMALL, random_fap  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)
LOADER = nodes["FuseAnyPartLoader"]
FOLDER = Path(sys.argv[2]) / "models" / "fuse_any_part"
WIDTH = 64
CONV_IN = "input_blocks.0.0.weight"
# The host's own table of names, not the pack's.
NAMES = comfy.utils.unet_to_diffusers({
    "num_res_blocks": [2] * 4, "channel_mult": [1, 2, 4, 4], "transformer_depth": [1] * 6 + [0, 0],
    "transformer_depth_output": [1] * 9 + [0] * 3, "transformer_depth_middle": 1,
})  # fmt: skip


class Log(logging.Handler):
    """Keeps what the host says while it loads."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def measure() -> dict[str, Any]:
    found: dict[str, Any] = {"empty": _choices(), "missing": LOADER.validate_inputs(_choices()[0])}
    found["executed_missing"] = _error(lambda: LOADER.execute("fap.bin"))
    FOLDER.mkdir(parents=True, exist_ok=True)
    published = random_fap("A", SMALL, 1, WIDTH)
    torch.save(published, FOLDER / "fap.bin")
    _training_folder()
    found |= {"choices": _choices(), "valid": LOADER.validate_inputs("fap.bin"), "changed": _changed()}
    log = Log()
    model, adapter = _load("fap.bin")
    found["A"] = _compared(model, published["unet"]) | _adapter_a(adapter, published)
    found["prediction"] = _prediction(model, published["unet"])
    found["again"] = _again(model)
    found["B"] = _variant_b()
    found["log"] = [line for line in log.lines if any(w in line for w in ("missing", "unexpected", "left over"))]
    found["half"] = str(_load("fap.bin", "fp16")[0].model.diffusion_model.out[2].weight.dtype)
    return found | {"carried": _carried(model, published["unet"]), "errors": _errors(model)}


def _choices() -> list[str]:
    return LOADER.define_schema().inputs[0].options


def _load(name: str, weight_type: str = "default", **more: Any) -> tuple[Any, Any]:
    output = LOADER.execute(name, weight_type, **more)
    return output[0], output[1]


def _training_folder() -> None:
    """Variant B as the training program saves it, in half precision, with the optimiser's state beside it."""
    folder = FOLDER / "checkpoint-1000"
    folder.mkdir()
    save_file(random_fap("B", SMALL, 2, WIDTH), folder / "whole.safetensors")
    convert(folder / "whole.safetensors", folder / "model.safetensors", half=True)
    (folder / "whole.safetensors").unlink()
    torch.save({"state": {}, "param_groups": []}, folder / "optimizer.bin")


def _changed() -> bool:
    before = LOADER.fingerprint_inputs("fap.bin", weight_dtype="default")
    os.utime(FOLDER / "fap.bin", (1, 1))
    return before is not None and LOADER.fingerprint_inputs("fap.bin", weight_dtype="default") not in (before, None)


def _compared(model: Any, unet: dict[str, Tensor]) -> dict[str, Any]:
    held = model.model.diffusion_model.state_dict()
    expected = _host_names(unet)
    worst = max(float((held[k].float() - expected[k].float()).abs().max()) for k in expected)
    same = {k: tuple(t.shape) for k, t in held.items()} == {k: tuple(t.shape) for k, t in expected.items()}
    return {"tensors": len(held), "same_names": same, "difference": worst, "concat": list(model.model.concat_keys)}


def _host_names(unet: dict[str, Tensor]) -> dict[str, Tensor]:
    named = {NAMES[k]: t for k, t in unet.items() if k in NAMES}
    first = unet["conv_in.weight"]
    return named | {CONV_IN: torch.cat([first[:, :4], first[:, 8:], first[:, 4:8]], 1)}


def _adapter_a(adapter: Any, published: dict[str, dict[str, Tensor]]) -> dict[str, Any]:
    tokens = torch.randn(1, 256, WIDTH, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        features = adapter.module.features(tokens)
        given = adapter.module.project("output_5", features)
    p = published["image_proj2"]
    h = torch.nn.functional.gelu(tokens @ p["proj.0.weight"].T + p["proj.0.bias"])
    h = h @ p["proj.2.weight"].T + p["proj.2.bias"]
    h = torch.nn.functional.layer_norm(h, (768,), p["proj.3.weight"], p["proj.3.bias"])
    name = "up_blocks.1.attentions.2.transformer_blocks.0.attn2.processor.image_projector"
    direct = h @ published["unet"][f"{name}.weight"].T + published["unet"][f"{name}.bias"]
    return {"kind": adapter.kind, "width": adapter.width, "adapter_difference": float((given - direct).abs().max())}


def _variant_b() -> dict[str, Any]:
    model, adapter = _load(os.path.join("checkpoint-1000", "model.safetensors"))
    file = load_file(FOLDER / "checkpoint-1000" / "model.safetensors")
    unet = {k.removeprefix("unet."): t for k, t in file.items() if k.startswith("unet.")}
    kernel, alpha = unet["mid_block.resnets.0.conv1d.weight"], unet["mid_block.resnets.0.alpha"]
    held = adapter.module.conv1d["middle_0"].weight
    near = float((held.float() - alpha.float() * kernel[..., 0].float()).abs().max() / held.float().abs().max())
    resampler = adapter.module.image_proj_model.state_dict()
    same = all(torch.equal(resampler[k], file[f"image_proj_model.{k}"]) for k in resampler)
    told = {"kind": adapter.kind, "precision": str(held.dtype), "alpha": near, "resampler": same}
    return _compared(model, unet) | told


def _prediction(model: Any, unet: dict[str, Tensor]) -> list[float] | None:
    """Largest differences to diffusers at two timesteps, on a latent that is not square."""
    try:
        from diffusers import UNet2DConditionModel
    except ImportError:
        return None
    down = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
    up = ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3
    direct = UNet2DConditionModel(
        in_channels=9, block_out_channels=SMALL, cross_attention_dim=768, attention_head_dim=8, down_block_types=down,
        up_block_types=up,
    )  # fmt: skip
    direct.load_state_dict({k: t for k, t in unet.items() if "image_projector" not in k})
    generator = torch.Generator().manual_seed(4)
    noisy, masked = (torch.randn(2, 4, 16, 8, generator=generator) for _ in range(2))
    mask = (torch.rand(2, 1, 16, 8, generator=generator) > 0.5).float()
    text = torch.randn(2, 77, 768, generator=generator)
    mm.load_models_gpu([model])
    worst = []
    with torch.inference_mode():
        for step in (981, 321):
            ours = model.model.diffusion_model(
                torch.cat([noisy, mask, masked], 1), torch.full((2,), float(step)), context=text
            )
            theirs = direct(torch.cat([noisy, masked, mask], 1), step, text).sample
            worst.append(float((ours - theirs).abs().max() / max(1.0, float(theirs.abs().max()))))
    return worst


def _again(model: Any) -> float:
    """How the host makes another copy of the model where it needs one."""
    factory, words = model.cached_patcher_init
    other = factory(*words)
    return _difference(other.model.diffusion_model.state_dict(), model.model.diffusion_model.state_dict())


def _difference(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    return max(float((a[k].float() - b[k].float()).abs().max()) for k in a)


def _plain(seed: int) -> dict[str, Tensor]:
    """An ordinary SD1.5 UNet of the same widths, in the host's names."""
    weights = {NAMES[k]: t for k, t in random_fap("A", SMALL, seed, WIDTH)["unet"].items() if k in NAMES}
    return weights | {CONV_IN: weights[CONV_IN][:, :4].clone()}


def _carried(model: Any, unet: dict[str, Tensor]) -> dict[str, Any]:
    fap, base, onto = _host_names(unet), _plain(5), _plain(6)
    base_model, onto_model = (comfy.sd.load_diffusion_model_state_dict(dict(w)) for w in (base, onto))
    same = _load("fap.bin", onto=base_model, base=base_model)[0]
    moved = _load("fap.bin", onto=onto_model, base=base_model)[0]
    expected = {k: fap[k] + (onto[k] - base[k]) for k in fap if k != CONV_IN}
    expected[CONV_IN] = torch.cat([fap[CONV_IN][:, :4] + (onto[CONV_IN] - base[CONV_IN]), fap[CONV_IN][:, 4:]], 1)
    key, extra = "diffusion_model.out.2.bias", torch.full((4,), 0.5)
    tuned = onto_model.clone()
    tuned.add_patches({key: (extra,)}, 2.0)
    with_lora = _load("fap.bin", onto=tuned, base=base_model)[0]
    return {
        "same": _difference(_weights(same), fap),
        "moved": _difference(_weights(moved), expected),
        "change": _difference(expected, fap),
        "lora": float((_weights(with_lora)["out.2.bias"] - expected["out.2.bias"] - 2 * extra).abs().max()),
        "parent": _difference(model.model.diffusion_model.state_dict(), fap),
        "onto": _difference(onto_model.model.diffusion_model.state_dict(), onto),
    }


def _weights(model: Any) -> dict[str, Tensor]:
    """As the sampler would use them."""
    mm.load_models_gpu([model])
    held = {k: t.clone() for k, t in model.model.diffusion_model.state_dict().items()}
    mm.unload_all_models()
    return held


def _errors(inpainting: Any) -> dict[str, str]:
    plain, other = comfy.sd.load_diffusion_model_state_dict(_plain(5)), random_model("sdxl")
    lesser = random_model("sd15")
    torch.save(random_fap("A", (64, 64, 64, 64), 1, WIDTH), FOLDER / "narrow.pt")
    pairs = {
        "onto only": {"onto": plain}, "base only": {"base": plain}, "SDXL": {"onto": other, "base": plain},
        "inpainting": {"onto": plain, "base": inpainting}, "other build": {"onto": plain, "base": lesser},
    }  # fmt: skip
    told = {name: _error(lambda w=wired: LOADER.execute("fap.bin", **w)) for name, wired in pairs.items()}
    return told | {"narrow": _error(lambda: LOADER.execute("narrow.pt"))}


def _error(call: Any) -> str:
    try:
        call()
    except ValueError as error:
        return str(error)
    return "nothing was raised"


try:
    with torch.inference_mode():
        finish(measure())
finally:
    shutil.rmtree(FOLDER, ignore_errors=True)
