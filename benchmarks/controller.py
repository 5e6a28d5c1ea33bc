"""One step of SD1.5 with FaceX's controller beside one without, at the real sizes, in a real ComfyUI.

    PYTHONPATH=COMFYUI python benchmarks/controller.py [--side 64] [--runs 5] [--threads 2] [--gpu]

COMFYUI is a checkout and `python` its own. All weights are random; the latent is side x side, positive and negative
in one batch, the controller's 318 tokens for each; float32 on the CPU, float16 with --gpu. Plain and steered steps
take turns, and the least time of each counts, because a busy machine only adds to it. Without --gpu the time is the
CPU time of all threads of this process, so that other processes count less.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from pack import load_pack

load_pack()
from face_part_fusion.detectors.motion import NAMES  # noqa: E402
from face_part_fusion.injection.facex.adapters import SOURCES  # noqa: E402
from face_part_fusion.injection.facex.file import metadata_of, new_controller  # noqa: E402
from face_part_fusion.injection.facex.model import default_config, providers_of  # noqa: E402
from face_part_fusion.injection.facex.representation import FaceRepresentation  # noqa: E402

BAR = 1.10
UNET = dict(
    image_size=32, in_channels=4, out_channels=4, model_channels=320, num_res_blocks=[2] * 4, channel_mult=(1, 2, 4, 4),
    transformer_depth=[1] * 6 + [0, 0], transformer_depth_output=[1] * 9 + [0] * 3, transformer_depth_middle=1,
    context_dim=768, use_spatial_transformer=True, legacy=False, use_linear_in_transformer=False, adm_in_channels=None,
)  # fmt: skip


def random_model(dtype: torch.dtype) -> Any:
    """SD1.5 as a host MODEL, 859.5 million parameters."""
    import comfy.model_management as mm
    import comfy.model_patcher
    import comfy.supported_models

    device = mm.get_torch_device()
    model = comfy.supported_models.SD15(UNET | {"dtype": dtype}).get_model({}, device=device)
    for weight in model.diffusion_model.parameters():
        weight.normal_(0, 0.02)
    return comfy.model_patcher.ModelPatcher(model, load_device=device, offload_device=device)


def steered(model: Any, dtype: torch.dtype) -> Any:
    """The same with a controller of full size, for a face of random representations."""
    from face_part_fusion.nodes.host.facex import apply_facex, load_facex

    module = new_controller(default_config("sd15")).to(dtype)
    shapes = {name: (1, source.tokens, source.width) for name, source in SOURCES.items()}
    face = FaceRepresentation(
        regions=torch.randn(shapes["region"]), present=torch.ones(shapes["region"][:2], dtype=torch.bool),
        identity=torch.randn(shapes["identity"]),
        motion=torch.randn(1, len(NAMES)), inpaint=torch.randn(shapes["inpaint"]),
        providers=providers_of(module.config),
    )  # fmt: skip
    return apply_facex(model, load_facex(module.state_dict(), metadata_of(module.config)), face)


def seconds(model: Any, side: int) -> float:
    """One step, positive and negative together."""
    device = model.load_device
    sigma = torch.full((2,), 5.0, device=device)
    x, text = torch.randn(2, 4, side, side, device=device), torch.randn(2, 77, 768, device=device)
    options = {**model.model_options["transformer_options"], "cond_or_uncond": [1, 0], "sigmas": sigma}
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    start = clock()
    # Reading one value back waits for the graphics card.
    float(model.model.apply_model(x, sigma, c_crossattn=text, transformer_options=options)[0, 0, 0, 0])
    return clock() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--gpu", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    from comfy.cli_args import args

    args.cpu = not options.gpu
    dtype = torch.float16 if options.gpu else torch.float32
    plain = random_model(dtype)
    models = {"plain": plain, "steered": steered(plain, dtype)}
    times: dict[str, list[float]] = {name: [] for name in models}
    first = {name: seconds(model, options.side) for name, model in models.items()}
    for _ in range(options.runs):
        for name, model in models.items():
            times[name].append(seconds(model, options.side))
    least = {name: min(runs) for name, runs in times.items()}
    print(f"latent {options.side} x {options.side}, {dtype}, {options.runs} runs each, in turns")
    for name, runs in times.items():
        print(f"{name}: least {min(runs):.3f} s, largest {max(runs):.3f} s, first {first[name]:.3f} s")
    print(f"a step with the controller takes {least['steered'] / least['plain']:.3f}x (bar {BAR:.2f}x)")


if __name__ == "__main__":
    with torch.inference_mode():
        main()
