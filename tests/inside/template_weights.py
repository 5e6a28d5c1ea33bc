"""Writes random weights of every model file that a template names: `template_weights.py HOST BASE`, below BASE/models.

Small ones where the host takes small ones; CLIP's text and vision models have one size only.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from host import finish, start

start()

import comfy.cldm.cldm  # noqa: E402
import comfy.clip_vision  # noqa: E402
import comfy.ops  # noqa: E402
import comfy.sd1_clip  # noqa: E402
import comfy.sdxl_clip  # noqa: E402
import comfy.supported_models  # noqa: E402
import shallow_clip  # noqa: E402, F401  (first, so that the models below have few layers)
import torch  # noqa: E402
from comfy.cldm.cldm import ControlNet  # noqa: E402
from comfy.taesd.taesd import TAESD  # noqa: E402
from random_models import FAMILIES, Family, _sd3, _sdxl, _unet  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from support.fuse_weights import SIDES, SMALL, random_fap  # noqa: E402
from support.ip_adapter_weights import random_ip_adapter  # noqa: E402
from support.swap_weights import published  # noqa: E402
from torch import Tensor  # noqa: E402

MODELS = Path(sys.argv[2]) / "models"
HALF = torch.float16
POOL = torch.randn(2**20 + 7, generator=torch.Generator().manual_seed(0))
# The host knows CLIP's large models by weights of their later layers, which these do not have.
KNOWN_BY = torch.zeros(1, dtype=HALF)
VISION_H = Path(comfy.clip_vision.__file__).with_name("clip_vision_config_h.json")


def filled(shapes: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """Random values with which signals neither die nor explode, in half precision."""
    return {prefix + name: _filled(tensor) for name, tensor in shapes.items()}


def _filled(like: Tensor) -> Tensor:
    # Drawing a thousand million values takes a minute; repeating a million of them, a second.
    values = POOL.repeat(like.numel() // len(POOL) + 1)[: like.numel()].view(like.shape)
    return (values / max(1, like[0].numel()) ** 0.5 if like.ndim > 1 else values * 0.1 + 0.5).to(HALF)


def vae(channels: int) -> dict[str, Tensor]:
    """Without biases and with mid-tones from its last layer, so that another latent is another picture."""
    net = TAESD(latent_channels=channels)
    net.load_state_dict({k: w * (w.ndim > 1) for k, w in filled(net.state_dict()).items() if w.ndim}, strict=False)
    last = net.taesd_decoder[-1]
    with torch.no_grad():
        seen = net.taesd_decoder(3 * torch.randn(1, channels, 16, 16, generator=torch.Generator().manual_seed(1)))
        mean, scale = seen.mean((0, 2, 3)), 0.2 / seen.std((0, 2, 3))
        last.weight *= scale[:, None, None, None]
        last.bias.copy_(0.5 - scale * mean)
    return {f"first_stage_model.{name}": tensor.to(HALF) for name, tensor in net.state_dict().items()}


def write(folder: str, name: str, weights: dict[str, Any]) -> None:
    file = MODELS / folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".bin":
        torch.save(weights, file)
    else:
        save_file({key: tensor.contiguous() for key, tensor in weights.items()}, str(file))


def sd15(text: dict[str, Tensor]) -> dict[str, Tensor]:
    """All of its blocks, each 320 wide."""
    network = _unet(
        num_res_blocks=[2] * 4, channel_mult=[1] * 4, transformer_depth=[1] * 6 + [0] * 2,
        transformer_depth_output=[1] * 9 + [0] * 3, transformer_depth_middle=1, context_dim=768,
    )  # fmt: skip
    words = {f"cond_stage_model.{name}": tensor for name, tensor in text.items()}
    return filled(network.state_dict(), "model.diffusion_model.") | words | vae(4)


def sdxl(text: dict[str, Tensor]) -> dict[str, Tensor]:
    big = filled(comfy.sdxl_clip.SDXLClipG(device="cpu", dtype=HALF).state_dict(), "clip_g.")
    big["clip_g.transformer.text_model.encoder.layers.30.mlp.fc1.weight"] = KNOWN_BY
    words = {f"clip_l.{name}": tensor for name, tensor in text.items()} | big
    saved = comfy.supported_models.SDXL.process_clip_state_dict_for_saving(None, words)
    return filled(_sdxl().state_dict(), "model.diffusion_model.") | saved | vae(4)


def flow(text: dict[str, Tensor]) -> dict[str, Tensor]:
    words = {f"text_encoders.clip_l.{name}": tensor for name, tensor in text.items()}
    FAMILIES["flow"] = Family("SD3", 16, text=4096, pooled=2048)
    return filled(_sd3().state_dict(), "model.diffusion_model.") | words | vae(16)


def control_net() -> dict[str, Tensor]:
    """For `sd15` above."""
    network = ControlNet(
        image_size=32, in_channels=4, hint_channels=3, model_channels=320, num_res_blocks=[2] * 4, channel_mult=[1] * 4,
        transformer_depth=[1] * 6 + [0] * 2, transformer_depth_middle=1, num_head_channels=64, context_dim=768,
        use_spatial_transformer=True, use_checkpoint=False, legacy=False, dtype=HALF, device="cpu",
        operations=comfy.ops.disable_weight_init,
    )  # fmt: skip
    return filled(network.state_dict(), "control_model.")


def ip_adapter() -> dict[str, Tensor]:
    """For `sd15` above."""
    weights = random_ip_adapter("sd15", "plus")
    return {key: (tensor[:320].clone() if "_ip.weight" in key else tensor).to(HALF) for key, tensor in weights.items()}


def lora(rank: int = 4) -> dict[str, Tensor]:
    """As trainers of SD1.5 name it, for every attention of `fap.bin` and the first layers of the text model."""
    shapes = {}
    for side, (count, _) in SIDES.items():
        for number in range(count):
            block = f"lora_unet_{side}_attentions_{number}_transformer_blocks_0".replace(".", "_")
            for layer in ("to_q", "to_k", "to_v", "to_out_0"):
                shapes[f"{block}_attn1_{layer}"] = (SMALL[0], SMALL[0])
                shapes[f"{block}_attn2_{layer}"] = (SMALL[0], 768 if layer in ("to_k", "to_v") else SMALL[0])
    for number in range(4):
        shapes[f"lora_te_text_model_encoder_layers_{number}_mlp_fc1"] = (3072, 768)
    ups = {f"{name}.lora_up.weight": torch.empty(out, rank) for name, (out, _) in shapes.items()}
    downs = {f"{name}.lora_down.weight": torch.empty(rank, into) for name, (_, into) in shapes.items()}
    return filled(ups | downs)


def halved(group: dict[str, Any]) -> dict[str, Any]:
    return {key: value.to(HALF) if isinstance(value, Tensor) else halved(value) for key, value in group.items()}


text = filled(comfy.sd1_clip.SDClipModel(device="cpu", dtype=HALF).state_dict())
write("checkpoints", "v1-5-pruned-emaonly-fp16.safetensors", sd15(text))
write("checkpoints", "sd_xl_base_1.0.safetensors", sdxl(text))
write("checkpoints", "sd3.5_medium_incl_clips_t5xxlfp8scaled.safetensors", flow(text))
write("controlnet", "control_v11p_sd15_seg_fp16.safetensors", control_net())
write("ipadapter", "ip-adapter-plus-face_sd15.safetensors", ip_adapter())
write("fuse_any_part", "fap.bin", halved(random_fap("A")))
torch_saved = MODELS / "face_swap" / "G_mouth1_st5.pth"
torch_saved.parent.mkdir(parents=True, exist_ok=True)
torch.save(published("SimSwap", 640), torch_saved)
write("controlnet", "control_v11p_sd15_canny_fp16.safetensors", control_net())
write("loras", "your_lora.safetensors", lora())
vision = comfy.clip_vision.ClipVisionModel(str(VISION_H))
known = {"vision_model.encoder.layers.30.layer_norm1.weight": KNOWN_BY}
write("clip_vision", "CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors", filled(vision.get_sd()) | known)
finish({file.relative_to(MODELS).as_posix(): file.stat().st_size for file in MODELS.rglob("*") if file.is_file()})
