"""What references cost per sampling step, beside ComfyUI_experiments' reference-only node in the same run.

    COMFY/venv/bin/python benchmarks/face_fusion.py ~/comfy/ComfyUI --side 64 --rounds 3 \\
        [--reference-only ComfyUI_experiments/reference_only.py]

SD1.5 with random weights (width 320 is the real one, 3.4 GB) samples with CFG: without references, with one, with one
that is refreshed in every second step, and with two people; of whole photographs, and of the head in them, which is
what Face Person takes unless it is told otherwise. Every query may look. The variants take turns. Printed are the
median over the rounds of the mean step, but for a run's first one, and its ratio to the unpatched step of the same
round, both by the clock and in the processor's time, which other programs on the machine change less; and the memory
that the references' keys and values take in half precision.
"""

from __future__ import annotations

import argparse
import importlib.util
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
    parser.add_argument("--family", choices=("sd15", "sdxl"), default="sd15")
    parser.add_argument("--width", type=int, default=320, help="of the UNet's first level")
    parser.add_argument("--side", type=int, default=64, help="of the latent, and of the references'")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="in each run, at least 3 and odd")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pytorch-attention", action="store_true", help="as --use-pytorch-cross-attention")
    parser.add_argument(
        "--only", default="", help="names of the variants to run beside the unpatched one, with ; between"
    )
    parser.add_argument("--reference-only", type=Path, help="the file reference_only.py of ComfyUI_experiments")
    return parser.parse_args()


OPTIONS = _options()
BASE = tempfile.TemporaryDirectory(prefix="face_fusion")
sys.argv = [sys.argv[0], str(OPTIONS.host.resolve()), BASE.name]

from host import start  # noqa: E402

sys.path.insert(0, sys.argv[1])
from comfy.cli_args import args  # noqa: E402

# Before the host's attention is imported, which chooses by it.
args.use_pytorch_cross_attention = OPTIONS.pytorch_attention
start()

import comfy.sample  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.injection.face_fusion.layers import chosen_layers  # noqa: E402
from face_part_fusion.injection.face_fusion.patch import Settings  # noqa: E402
from face_part_fusion.injection.face_fusion.people import FacePerson  # noqa: E402
from face_part_fusion.injection.face_fusion.reference_store import ReferenceStore  # noqa: E402
from face_part_fusion.nodes.host.face_fusion import refer  # noqa: E402
from small_unets import random_words, small_unet  # noqa: E402
from torch import Tensor  # noqa: E402


def latent(seed: int) -> Tensor:
    return torch.randn(1, 4, OPTIONS.side, OPTIONS.side, generator=torch.Generator().manual_seed(seed))


def head() -> Tensor:
    """The share of a photograph, cut with half a face of room, that a head with its hair fills: an ellipse, 35 %."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 512), torch.linspace(-1, 1, 512), indexing="ij")
    return ((x / 0.6) ** 2 + (y / 0.74) ** 2 < 1).float()[None]


def ours(model: Any, people: int, view: Tensor | None = None, **more: Any) -> Any:
    picture, everywhere = torch.zeros(1, 8, 8, 3), torch.ones(1, 1, 1)
    persons = [FacePerson(f"person {i}", (picture,), (view,), 1.0, everywhere) for i in range(people)]
    latents = [[latent(i + 20)] for i in range(people)]
    return refer(
        model, persons, latents, Settings(chosen_layers(model.get_model_object("diffusion_model"), "all")), **more
    )


def theirs(model: Any) -> tuple[Any, dict[str, Tensor]]:
    """The node's model, and the latent with the reference in front that it samples."""
    spec = importlib.util.spec_from_file_location("reference_only", OPTIONS.reference_only)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ReferenceOnlySimple().reference_only(model, {"samples": latent(20)}, 1)


class Variant:
    """A model to sample with, and for every round the mean seconds of its steps but the first: clock, processor."""

    def __init__(self, model: Any, start: dict[str, Tensor] | None = None) -> None:
        self._model, self._start = model, start or {"samples": torch.zeros(1, 4, OPTIONS.side, OPTIONS.side)}
        self.rounds: list[tuple[float, float]] = []

    def run(self) -> None:
        marks: list[tuple[float, float]] = []
        sample(self._model, self._start, lambda *_: marks.append((time.perf_counter(), time.process_time())))
        clock, processor = ((b - a) / (len(marks) - 1) for a, b in zip(marks[0], marks[-1], strict=True))
        self.rounds.append((clock, processor))
        sys.stderr.write(f"{clock:.2f} s, processor {processor:.2f} s\n")


def sample(model: Any, start: dict[str, Tensor], after_step: Callable[..., None] | None = None) -> Tensor:
    samples, mask = start["samples"], start.get("noise_mask")
    noise = torch.randn(samples.shape, generator=torch.Generator().manual_seed(3))
    words = [random_words(OPTIONS.family, seed) for seed in (1, 2)]
    return comfy.sample.sample(
        model, noise, OPTIONS.steps, 3.0, "euler", "normal", *words, samples, noise_mask=mask, seed=1,
        disable_pbar=True, callback=after_step,
    )  # fmt: skip


def kept_bytes(model: Any) -> int:
    """Of one reference, in the precision of the model."""
    sizes: list[int] = []
    before = ReferenceStore.begin_evaluation

    def watched(store: Any, *arguments: Any) -> None:
        before(store, *arguments)
        sizes.append(store.bytes)

    ReferenceStore.begin_evaluation = watched  # type: ignore[method-assign]
    Variant(ours(model, 1)).run()
    ReferenceStore.begin_evaluation = before  # type: ignore[method-assign]
    return max(sizes)


def main() -> None:
    torch.set_num_threads(OPTIONS.threads)
    model = small_unet(OPTIONS.family, OPTIONS.width)
    make: dict[str, Callable[[], Variant]] = {
        "unpatched": lambda: Variant(model),
        "one head": lambda: Variant(ours(model, 1, head())),
        "one head, every second step": lambda: Variant(ours(model, 1, head(), every=2)),
        "two heads": lambda: Variant(ours(model, 2, head())),
        "one photograph": lambda: Variant(ours(model, 1)),
        "one photograph, every second step": lambda: Variant(ours(model, 1, every=2)),
        "one photograph, clean": lambda: Variant(ours(model, 1, noise="clean")),
        "two photographs": lambda: Variant(ours(model, 2)),
    }
    if OPTIONS.reference_only:
        make["reference-only of ComfyUI_experiments"] = lambda: Variant(*theirs(model))
    chosen = {"unpatched", *OPTIONS.only.split(";")} if OPTIONS.only else set(make)
    variants = {name: each() for name, each in make.items() if name in chosen}
    for _ in range(OPTIONS.rounds):
        for variant in variants.values():
            variant.run()
    plain = variants["unpatched"].rounds
    for name, variant in variants.items():
        figures = []
        for which, word in ((0, "clock"), (1, "processor")):
            own = [each[which] for each in variant.rounds]
            ratio = median(a / b[which] for a, b in zip(own, plain, strict=True))
            figures.append(f"{word} {median(own):8.3f} s x {ratio:.3f}")
        print(f"{name:40} {'   '.join(figures)}")
    # The weights are float32 here.
    print(f"keys and values of one reference in half precision: {kept_bytes(model) / 2 / 1e6:.1f} MB")


with torch.inference_mode():
    main()
