"""What regional IP-Adapter control costs per sampling step, beside IPAdapter-plus in the same run.

    COMFY/venv/bin/python benchmarks/regional_attention.py ~/comfy/ComfyUI --side 64 --rounds 5 \\
        [--ipadapter custom_nodes/ComfyUI_IPAdapter_plus]

SD1.5 with random weights (width 320 is the real one, 3.4 GB) samples with no reference and with four, each in a region
of its own; the variants take turns. Two figures are printed for every step but a sampling run's first, in which keys
and values are computed: its length, and the time that the replaced cross-attentions take beyond what they take without
a reference. A ratio is the median over the rounds of a variant's shortest step divided by the unpatched one's in the
same round. Whole steps scatter by some percent, more than either pack adds, so the second figure says which adds less.
With --ipadapter it also prints how far the two packs' results differ for one reference, without the middle block, which
IPAdapter-plus does not reach.
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
from face_part_fusion.injection.ip_adapter.regional_attention import Steering  # noqa: E402
from face_part_fusion.nodes.controller_load import load_controller  # noqa: E402
from face_part_fusion.nodes.host.attention import steer_model  # noqa: E402
from ipadapter_plus import IPAdapterPlus  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from small_unets import random_words, small_unet  # noqa: E402
from support.ip_adapter_weights import random_ip_adapter  # noqa: E402
from torch import Tensor  # noqa: E402

# Four parts of a face that fills most of the picture: y0, y1, x0, x1 in its 0..1.
REGIONS = ((0.35, 0.48, 0.22, 0.78), (0.40, 0.65, 0.40, 0.60), (0.68, 0.80, 0.35, 0.65), (0.22, 0.33, 0.22, 0.78))
PIXELS = 512


def masks() -> list[Tensor]:
    region_masks = []
    for y0, y1, x0, x1 in REGIONS:
        mask = torch.zeros(1, PIXELS, PIXELS)
        mask[:, round(y0 * PIXELS) : round(y1 * PIXELS), round(x0 * PIXELS) : round(x1 * PIXELS)] = 1
        region_masks.append(mask)
    return region_masks


def random_tokens(seed: int) -> Tensor:
    return torch.randn(1, 257, 1280, generator=torch.Generator().manual_seed(seed))


EMPTY, EVERYWHERE = random_tokens(0), torch.ones(1, PIXELS, PIXELS)


def ours(model: Any, controller: Any, areas: list[Tensor], blocks: str = "") -> Any:
    steerings = [Steering(f"part {i}", random_tokens(i + 1), EMPTY, area, 1.0) for i, area in enumerate(areas)]
    return steer_model(model, controller, steerings, block_weights=blocks)


def sample(model: Any, steps: int, after_step: Callable[..., None] | None = None) -> Tensor:
    latent = torch.zeros(1, 4, OPTIONS.side, OPTIONS.side)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(3))
    words = [random_words("sd15", seed) for seed in (1, 2)]
    return comfy.sample.sample(
        model, noise, steps, 3.0, "euler", "normal", *words, latent, seed=1, disable_pbar=True, callback=after_step
    )


def output(model: Any) -> Tensor:
    """The UNet's output in the first step, all rows."""
    outputs: list[Tensor] = []
    last = model.model.diffusion_model.out
    handle = last.register_forward_hook(lambda _module, _inputs, value: outputs.append(value.clone()))
    sample(model, 1)
    handle.remove()
    return outputs[0]


class Timed:
    """A replacement of one cross-attention that adds its seconds to `clock`."""

    def __init__(self, inner: Callable[..., Tensor], clock: list[float]) -> None:
        self._inner, self._clock = inner, clock

    def __deepcopy__(self, memo: Any) -> Timed:
        return self

    def __call__(self, *arguments: Any, **named: Any) -> Tensor:
        start = time.perf_counter()
        result = self._inner(*arguments, **named)
        self._clock[0] += time.perf_counter() - start
        return result


class Variant:
    """A model to sample with, and for every round the seconds of its shortest step: all of it, replaced attentions."""

    def __init__(self, model: Any) -> None:
        self._model, self._clock = model.clone(), [0.0]
        self.rounds: list[tuple[float, float]] = []
        replaced = self._model.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})
        for slot, patch in tuple(replaced.items()):
            self._model.set_model_attn2_replace(Timed(patch, self._clock), *slot)

    def run(self) -> None:
        marks: list[tuple[float, float]] = []
        sample(self._model, OPTIONS.steps, lambda *_: marks.append((time.perf_counter(), self._clock[0])))
        self.rounds.append(min((b - a, d - c) for (a, c), (b, d) in zip(marks, marks[1:], strict=False)))


def main() -> None:
    torch.set_num_threads(OPTIONS.threads)
    model = small_unet("sd15", OPTIONS.width)
    file = Path(BASE.name) / "ip-adapter-plus_sd15.safetensors"
    save_file(random_ip_adapter("sd15", "plus", OPTIONS.width), file)
    controller = load_controller(str(file))
    variants = {"unpatched": Variant(model), "four references": Variant(ours(model, controller, masks()))}
    # The time of the same slots without a reference.
    variants["no reference"] = Variant(ours(model, controller, []))
    if OPTIONS.ipadapter:
        theirs = IPAdapterPlus(OPTIONS.ipadapter.resolve(), file)
        references = [(random_tokens(i + 1), area) for i, area in enumerate(masks())]
        variants["IPAdapter-plus, four references"] = Variant(theirs(model, references, EMPTY))
        # Half the picture covers whole cells of every grid, so the way in which a mask is resized does not matter.
        half = EVERYWHERE.clone()
        half[:, :, : PIXELS // 2] = 0
        for name, area in (("everywhere", EVERYWHERE), ("in one half", half)):
            apart = output(ours(model, controller, [area], "middle = 0")) - output(
                theirs(model, [(random_tokens(1), area)], EMPTY)
            )
            print(f"largest difference to IPAdapter-plus, one reference {name}: {float(apart.abs().max()):.1e}")
        print(f"standard deviation of the unpatched output: {float(output(model).std()):.2f}")
    for _ in range(OPTIONS.rounds):
        for variant in variants.values():
            variant.run()
    plain = [whole for whole, _ in variants["unpatched"].rounds]
    without = median(inside for _, inside in variants["no reference"].rounds)
    for name, variant in variants.items():
        whole, inside = (median(column) for column in zip(*variant.rounds, strict=True))
        ratio = median(own / of_plain for (own, _), of_plain in zip(variant.rounds, plain, strict=True))
        added = max(inside - without, 0.0)
        share = added / median(plain)
        print(f"{name:32} step {whole:8.4f} s  x {ratio:.3f}  added by references {added:.4f} s, {share:.1%} of a step")


with torch.inference_mode():
    main()
