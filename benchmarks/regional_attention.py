"""What regional IP-Adapter control costs per sampling step, beside IPAdapter-plus in the same run.

    COMFY/venv/bin/python benchmarks/regional_attention.py ~/comfy/ComfyUI --side 64 --rounds 5 \\
        [--ipadapter custom_nodes/ComfyUI_IPAdapter_plus]

SD1.5 with random weights (width 320 is the real one, 3.4 GB) samples with 0, 1 and 4 references, each in a region of
its own; the variants take turns. A ratio is the median over the rounds of a variant's shortest step (the first, in
which keys and values are computed, does not count) by the unpatched one's in the same round. With --ipadapter also
how far the two packs' results are apart for one reference, the middle block left out, which IPAdapter-plus does not
reach.
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
sys.path += [str(ROOT / "tests" / "inside"), str(ROOT / "tests")]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host", type=Path, help="folder of ComfyUI")
    parser.add_argument("--width", type=int, default=320, help="of the UNet's first level")
    parser.add_argument("--side", type=int, default=64, help="of the latent")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="in each run, at least 2")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ipadapter", type=Path, help="folder of IPAdapter-plus")
    return parser.parse_args()


OPTIONS = _options()
BASE = tempfile.TemporaryDirectory(prefix="regional_attention")
sys.argv = [sys.argv[0], str(OPTIONS.host.resolve()), BASE.name]

from host import start  # noqa: E402

start()

import comfy.sample  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.injection.regional_attention import Steering  # noqa: E402
from face_part_fusion.nodes.controller_load import load_controller  # noqa: E402
from face_part_fusion.nodes.host_attention import steer_model  # noqa: E402
from ip_adapter_weights import random_ip_adapter  # noqa: E402
from ipadapter_plus import IPAdapterPlus  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from small_unets import random_words, small_unet  # noqa: E402
from torch import Tensor  # noqa: E402

# Four parts of a face that fills most of the picture: y0, y1, x0, x1 in its 0..1.
REGIONS = ((0.35, 0.48, 0.22, 0.78), (0.40, 0.65, 0.40, 0.60), (0.68, 0.80, 0.35, 0.65), (0.22, 0.33, 0.22, 0.78))
PIXELS = 512


def masks() -> list[Tensor]:
    made = []
    for y0, y1, x0, x1 in REGIONS:
        mask = torch.zeros(1, PIXELS, PIXELS)
        mask[:, round(y0 * PIXELS) : round(y1 * PIXELS), round(x0 * PIXELS) : round(x1 * PIXELS)] = 1
        made.append(mask)
    return made


def drawn(seed: int) -> Tensor:
    return torch.randn(1, 257, 1280, generator=torch.Generator().manual_seed(seed))


EMPTY, EVERYWHERE = drawn(0), torch.ones(1, PIXELS, PIXELS)


def ours(model: Any, controller: Any, areas: list[Tensor], blocks: str = "") -> Any:
    steerings = [Steering(f"part {i}", drawn(i + 1), EMPTY, area, 1.0) for i, area in enumerate(areas)]
    return steer_model(model, controller, steerings, block_weights=blocks)


def sample(model: Any, steps: int, seen: Callable[..., None] | None = None) -> Tensor:
    latent = torch.zeros(1, 4, OPTIONS.side, OPTIONS.side)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(3))
    words = [random_words("sd15", seed) for seed in (1, 2)]
    return comfy.sample.sample(
        model, noise, steps, 3.0, "euler", "normal", *words, latent, seed=1, disable_pbar=True, callback=seen
    )


def output(model: Any) -> Tensor:
    """What the UNet gives in the first step, all rows."""
    caught: list[Tensor] = []
    handle = model.model.diffusion_model.out.register_forward_hook(lambda _, given, made: caught.append(made.clone()))
    sample(model, 1)
    handle.remove()
    return caught[0]


def shortest_steps(variants: dict[str, Any]) -> dict[str, list[float]]:
    """Name -> seconds of the shortest step in every round."""
    found: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(OPTIONS.rounds):
        for name, model in variants.items():
            times: list[float] = []
            sample(model, OPTIONS.steps, lambda *_, times=times: times.append(time.perf_counter()))
            found[name].append(min(b - a for a, b in zip(times, times[1:], strict=False)))
    return found


def main() -> None:
    torch.set_num_threads(OPTIONS.threads)
    model = small_unet("sd15", OPTIONS.width)
    file = Path(BASE.name) / "ip-adapter-plus_sd15.safetensors"
    save_file(random_ip_adapter("sd15", "plus", OPTIONS.width), file)
    controller = load_controller(str(file))
    variants = {"unpatched": model}
    for name, areas in (("1 masked", masks()[:1]), ("4 masked", masks()), ("4 everywhere", [EVERYWHERE] * 4)):
        variants[name] = ours(model, controller, areas)
    if OPTIONS.ipadapter:
        theirs = IPAdapterPlus(OPTIONS.ipadapter.resolve(), file)
        for name, areas in (("1 masked", masks()[:1]), ("4 masked", masks())):
            references = [(drawn(i + 1), area) for i, area in enumerate(areas)]
            variants[f"IPAdapter-plus, {name}"] = theirs(model, references, EMPTY)
        # Half the picture lies on whole cells of every grid, so that how a mask is resized makes no difference.
        half = EVERYWHERE.clone()
        half[:, :, : PIXELS // 2] = 0
        for name, area in (("everywhere", EVERYWHERE), ("in one half", half)):
            apart = output(ours(model, controller, [area], "middle = 0")) - output(
                theirs(model, [(drawn(1), area)], EMPTY)
            )
            print(f"largest difference to IPAdapter-plus, one reference {name}: {float(apart.abs().max()):.1e}")
        print(f"standard deviation of the unpatched output: {float(output(model).std()):.2f}")
    for name, seconds in (found := shortest_steps(variants)).items():
        ratio = median(own / plain for own, plain in zip(seconds, found["unpatched"], strict=True))
        print(f"{name:28} {median(seconds):8.4f} s  x {ratio:.3f}")


with torch.inference_mode():
    main()
