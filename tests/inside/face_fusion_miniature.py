"""The trainer's miniature in a real host: `face_fusion_miniature.py HOST BASE`.

BASE holds unet.safetensors as diffusers names its weights, face_fusion.safetensors, and inputs.safetensors with noise,
references, sigmas and guidance. Writes what the host samples to BASE/pictures.safetensors.
"""

from __future__ import annotations

import sys
from pathlib import Path

from host import finish, start

start()

import comfy.model_patcher  # noqa: E402
import comfy.samplers  # noqa: E402
import comfy.supported_models  # noqa: E402
import comfy.utils  # noqa: E402
import torch  # noqa: E402
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete  # noqa: E402
from face_part_fusion.injection.face_fusion.layers import chosen_layers  # noqa: E402
from face_part_fusion.injection.face_fusion.patch import Settings  # noqa: E402
from face_part_fusion.injection.face_fusion.people import FacePerson  # noqa: E402
from face_part_fusion.nodes.host.face_fusion import load_projections, refer  # noqa: E402
from guider_kinds import usual  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)
BASE = Path(sys.argv[2])
# As `training/face_fusion` builds its UNet.
SIZES = {
    "image_size": 32, "in_channels": 4, "out_channels": 4, "use_spatial_transformer": True, "legacy": False,
    "dtype": torch.float32, "channel_mult": [1, 2, 3], "num_res_blocks": [1, 1, 1], "context_dim": 768, "num_heads": 2,
    "num_head_channels": -1, "use_linear_in_transformer": False, "transformer_depth": [1] * 3,
    "transformer_depth_output": [1] * 6, "transformer_depth_middle": 1,
}  # fmt: skip
GROUPS, HEADS = 16, 2
inputs = load_file(BASE / "inputs.safetensors")


def miniature() -> comfy.model_patcher.ModelPatcher:
    weights = load_file(BASE / "unet.safetensors")
    sizes = SIZES | {"model_channels": len(weights["conv_in.weight"])}
    config = comfy.supported_models.SD15(sizes)
    config.set_inference_dtype(torch.float32, None)
    model = config.get_model({}, "").eval()
    names = comfy.utils.unet_to_diffusers(sizes)
    model.diffusion_model.load_state_dict({names[name]: weight for name, weight in weights.items()})
    # The host knows groups and heads for widths of 320 and more alone.
    for module in model.diffusion_model.modules():
        if isinstance(module, torch.nn.GroupNorm):
            module.num_groups = GROUPS
        for name in ("heads", "n_heads"):
            if hasattr(module, name):
                setattr(module, name, HEADS)
    cpu = torch.device("cpu")
    patcher = comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)
    return ModelSamplingDiscrete().patch(patcher, "v_prediction", False)[0]


def sampled(model: comfy.model_patcher.ModelPatcher) -> Tensor:
    words = [[torch.zeros(1, 1, 768), {}]]
    noise, cfg = inputs["noise"], float(inputs["guidance"])
    guider = usual(model, words, words, cfg)
    euler = comfy.samplers.sampler_object("euler")
    latents = guider.sample(noise, torch.zeros_like(noise), euler, inputs["sigmas"], seed=1, disable_pbar=True)
    return model.model.process_latent_in(latents).contiguous()


def referring(model: comfy.model_patcher.ModelPatcher, trained: bool) -> comfy.model_patcher.ModelPatcher:
    own = [model.model.latent_format.process_out(latent[None]) for latent in inputs["references"]]
    person = FacePerson("person", (torch.zeros(1, 64, 64, 3),) * len(own), (None,) * len(own), 1.0, torch.ones(1, 1, 1))
    settings = Settings(chosen_layers(model.get_model_object("diffusion_model"), "all"))
    # An empty prompt of one token, as the miniature has: 77 of them would weigh more beside the references.
    prompt = [[torch.zeros(1, 1, 768), {}]]
    projections = load_projections(str(BASE / "face_fusion.safetensors")) if trained else None
    return refer(model, [person], [own], settings, projections=projections, noise="clean", prompt=prompt)


model = miniature()
pictures = {"nobody": sampled(model)} | {
    name: sampled(referring(model, name == "trained")) for name in ("trained", "training-free")
}
save_file(pictures, BASE / "pictures.safetensors")
finish({"layers": len(chosen_layers(model.get_model_object("diffusion_model"), "all"))})
