"""A sampling step with FuseAnyPart injected, beside the same step of the unpatched model, and the memory kept:

    <the host's python> benchmarks/injection.py COMFYUI [--runs 7] [--latent 64] [--threads 2] [--only A] \\
        [--ipadapter custom_nodes/ComfyUI_IPAdapter_plus]

Real SD1.5 sizes (9 input channels), random weights, float32 on the CPU, one conditioned and one unconditioned row in
one call, in a real host. Runs are interleaved. A ratio is the median over the rounds of a step's time divided by that
of the unpatched step in the same round, so that drift in the machine's speed cancels. With --ipadapter the rival is
IPAdapter-plus's own node, one picture over the whole target. Without it, "IPAdapter-style" is not another pack's code:
it is what such a node of plus-face's size has to do, written here (16 picture tokens with keys and values of their own
in every block, projected in every step, added to the attention to text in the host's replacement slot). Needs about
9 GB of memory.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
UNPATCHED, RIVAL, RIVALS_NODE = "unpatched", "IPAdapter-style, plus-face size", "IPAdapter-plus, plus-face"
MODES = {"A": ("released", "practical"), "B": ("released", "practical")}
BARS = {"A released": 0.97, "A practical": 1.01, "B released": 1.02}
KEPT = 60.0
TIMESTEP = 501
Step = Callable[[], Any]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host", type=Path, help="a ComfyUI folder")
    parser.add_argument("--runs", type=int, default=7, help="rounds, each with every step once")
    parser.add_argument("--latent", type=int, default=64, help="side of the latent in cells")
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--only", choices=list(MODES), help="one of the two published models")
    parser.add_argument("--ipadapter", type=Path, help="folder of IPAdapter-plus")
    return parser.parse_args()


def start_host(host: Path) -> dict[str, type]:
    """The pack's nodes in that host; what it writes goes to a temporary folder."""
    sys.path += [str(ROOT / "tests"), str(ROOT / "tests" / "inside")]
    from host import start

    sys.argv = [sys.argv[0], str(host.expanduser().resolve()), tempfile.mkdtemp()]
    return start()


def main() -> None:
    arguments = options()
    nodes = start_host(arguments.host)
    import torch

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    with torch.inference_mode():
        model = full_model()
        for kind in [arguments.only] if arguments.only else MODES:
            measure(nodes["AdditionInject"], model, kind, arguments)


def measure(node: Any, model: Any, kind: str, arguments: argparse.Namespace) -> None:
    from face_part_fusion.injection.sampling.run import SamplingRun
    from fuse_models import full_adapter

    runs, latent = arguments.runs, arguments.latent
    adapter, sampling_runs = full_adapter(kind), {mode: SamplingRun() for mode in MODES[kind]}
    steps = {UNPATCHED: step(model, latent, {})}
    for mode in MODES[kind]:
        patched = injected(node, model, adapter, mode, latent)
        steps[f"{kind} {mode}"] = step(patched, latent, {addition_of(patched).key: sampling_runs[mode]})
    if arguments.ipadapter:
        steps[RIVALS_NODE] = step(ipadapter_plus(model, arguments.ipadapter.resolve()), latent, {})
    else:
        steps[RIVAL] = step(rival(model), latent, {})
    for name, seconds in (times := interleaved(steps, runs)).items():
        ratio = median(own / plain for own, plain in zip(seconds, times[UNPATCHED], strict=True))
        bar = f"   bar {BARS[name]:.2f}x" if name in BARS and latent == 64 else ""
        print(f"{name:<34}{median(seconds):>9.3f} s{ratio:>9.3f}x{bar}")
    for mode, run in sampling_runs.items():
        print(f"{kind} {mode + ' keeps':<32}{run.kept_bytes / 1e6:>9.1f} MB   bar {KEPT:.0f} MB")


def full_model() -> Any:
    """A host MODEL at SD1.5's sizes with 9 input channels."""
    import torch
    from face_part_fusion.injection.unet.keys import WIDTHS, host_unet, unet_shapes
    from fuse_models import drawn, unet_model

    return unet_model(host_unet(drawn(unet_shapes())), WIDTHS, 9, torch.float32)


def injected(node: Any, model: Any, adapter: Any, mode: str, latent: int) -> Any:
    from face_part_fusion.injection.fuse_any_part import latents
    from fuse_models import fused, random_vae

    # Released mode works at 512 pixels; another size is only for a quick look.
    latents.SHORTEST = 8 * latent
    features = fused(mode, size=(8 * latent, 8 * latent), width=1280)
    return node.execute(
        model, adapter, features, random_vae(), strength=1.0, start_percent=0.0, end_percent=1.0, block_weights="",
        seed=0,
    ).args[0]  # fmt: skip


def addition_of(patched: Any) -> Any:
    wrappers = patched.model_options["transformer_options"]["wrappers"]["apply_model"]
    return next(iter(wrappers.values()))[0].__self__


def step(patched: Any, latent: int, more: dict[str, Any]) -> Step:
    """One call of the model. `more`: options beside the patched ones."""
    import comfy.model_management as mm
    import torch

    rows, text = torch.randn(2, 4, latent, latent), torch.randn(2, 77, 768)
    channels = torch.randn(2, 5, latent, latent)

    def run() -> Any:
        # Only moves patches of one clone in the place of another's; nothing is copied.
        mm.load_models_gpu([patched, *patched.get_additional_models()])
        base = patched.model
        sigmas = base.model_sampling.sigmas[TIMESTEP].repeat(2)
        all_options = {
            **patched.model_options["transformer_options"], "cond_or_uncond": [1, 0], "sigmas": sigmas, **more,
        }  # fmt: skip
        start = time.perf_counter()
        base.apply_model(rows, sigmas, c_concat=channels, c_crossattn=text, transformer_options=all_options)
        return time.perf_counter() - start

    return run


def ipadapter_plus(model: Any, folder: Path) -> Any:
    """`model` as IPAdapter-plus patches it, with random weights of plus-face's size."""
    import torch
    from ipadapter_plus import IPAdapterPlus
    from safetensors.torch import save_file
    from support.ip_adapter_weights import random_ip_adapter

    with tempfile.TemporaryDirectory() as base:
        file = Path(base) / "ip-adapter-plus-face_sd15.safetensors"
        save_file(random_ip_adapter("sd15", "plus", 320), file)
        theirs = IPAdapterPlus(folder, file)
    tokens, empty = (torch.randn(1, 257, 1280) for _ in range(2))
    return theirs(model, [(tokens, torch.ones(1, 512, 512))], empty)


def rival(model: Any) -> Any:
    """`model` with an IPAdapter-style replacement of every cross-attention."""
    import torch
    from comfy.ldm.modules.attention import optimized_attention
    from face_part_fusion.injection.unet.blocks import BLOCKS

    patched, tokens = model.clone(), torch.randn(2, 16, 768)

    def replacement(width: int) -> Step:
        keys, values = (torch.randn(width, 768) / 768**0.5 for _ in range(2))

        def attend(q: Any, k: Any, v: Any, block_options: dict[str, Any]) -> Any:
            text = optimized_attention(q, k, v, block_options["n_heads"])
            return text + optimized_attention(q, tokens @ keys.T, tokens @ values.T, block_options["n_heads"])

        return attend

    for block in BLOCKS:
        attention = model.get_model_object(f"diffusion_model.{block.attention}.transformer_blocks.0.attn2")
        patched.set_model_attn2_replace(replacement(attention.to_q.out_features), *block.host)
    return patched


def interleaved(steps: dict[str, Step], runs: int) -> dict[str, list[float]]:
    """Name -> seconds in every round. A round before them computes what is kept."""
    for run in steps.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    names = list(steps)
    for i in range(runs):
        turn = i % len(names)
        for name in names[turn:] + names[:turn]:
            seconds[name].append(steps[name]())
    return seconds


if __name__ == "__main__":
    main()
