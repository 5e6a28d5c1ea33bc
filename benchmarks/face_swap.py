"""Face Swap around its generator, in frames of 1920 x 1080 pixels, beside insightface's paste-back.

    OMP_NUM_THREADS=1 python benchmarks/face_swap.py --photo PORTRAIT --frames 100

Needs insightface and opencv-python. The generator returns its crop, darkened: both swappers cut out, mask and lay back.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from pack import load_pack
from torch.nn import functional

load_pack()
from face_part_fusion.command.photo import load_photo  # noqa: E402
from face_part_fusion.detectors.builtin import BuiltinDetector  # noqa: E402
from face_part_fusion.detectors.find import find_faces  # noqa: E402
from face_part_fusion.detectors.parser_builtin import BuiltinParser  # noqa: E402
from face_part_fusion.detectors.parts import FaceParts  # noqa: E402
from face_part_fusion.detectors.schemes import five_points  # noqa: E402
from face_part_fusion.detectors.selection import choose  # noqa: E402
from face_part_fusion.fusion.crop import FFHQ_POINTS  # noqa: E402
from face_part_fusion.injection.reliable_swap.identity import Identity  # noqa: E402
from face_part_fusion.injection.reliable_swap.swap import SwapSettings, swap_faces  # noqa: E402
from face_part_fusion.injection.reliable_swap.swapper import Frame  # noqa: E402

SIZE, FRAME = 512, (1080, 1920)


class Darkening:
    """A swapper whose generator takes next to no time."""

    name, provider, width, lower_face, pictures = "darkening", "nobody", 512, True, False
    source = target = Frame(SIZE, tuple(map(tuple, (FFHQ_POINTS * (SIZE / 512)).tolist())))

    def identify(self, crops: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(crops), self.width)

    def swap(self, crop: torch.Tensor, identity: torch.Tensor) -> torch.Tensor:
        return crop * 0.9


def frame(photo: torch.Tensor, shift: int) -> torch.Tensor:
    """(1, 1080, 1920, 3): the photograph, 1000 pixels high, at a place that moves."""
    height, width = 1000, round(1000 * photo.shape[2] / photo.shape[1])
    shown = functional.interpolate(photo.movedim(-1, 1), (height, width), mode="bicubic", align_corners=False)
    canvas = torch.full((1, *FRAME, 3), 0.4)
    left = 300 + 3 * shift % 400
    canvas[:, 40 : 40 + height, left : left + width] = shown.movedim(1, -1).clamp(0, 1)
    return canvas


def theirs(parts: FaceParts) -> Callable[[], object]:
    """insightface's own cut and paste-back, at its 128 pixels."""
    from insightface.model_zoo.inswapper import INSwapper

    swapper = object.__new__(INSwapper)
    swapper.__dict__ |= {
        "input_size": (128, 128), "input_std": 255.0, "input_mean": 0.0, "emap": np.eye(512, dtype=np.float32),
        "input_names": ["target", "source"], "output_names": ["output"],
        "session": SimpleNamespace(run=lambda names, given: [given["target"] * 0.9]),
    }  # fmt: skip
    face = parts.faces[0][0]
    target = SimpleNamespace(kps=five_points(face.landmarks, face.scheme).numpy().astype(np.float32))
    picture = np.ascontiguousarray((parts.pictures[0].numpy()[..., ::-1] * 255).astype(np.uint8))
    source = SimpleNamespace(normed_embedding=np.ones(512, np.float32))
    return lambda: swapper.get(picture, target, source)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--photo", type=Path, required=True)
    options.add_argument("--frames", type=int, default=100)
    arguments = options.parse_args()
    torch.set_num_threads(1)
    photo, detector, parser = load_photo(arguments.photo), BuiltinDetector(), BuiltinParser()
    swapper, who = Darkening(), Identity(torch.zeros(512), "nobody", torch.zeros(1), 1)
    times: dict[str, list[float]] = {"detect": [], "swap": [], "swap with covers": [], "insightface": []}

    def timed(name: str, work: Callable[[], object]) -> object:
        start = time.process_time()
        result = work()
        times[name].append(time.process_time() - start)
        return result

    for number in range(arguments.frames):
        pictures = frame(photo, number)
        parts = timed("detect", lambda: choose(pictures, find_faces(pictures, detector)))  # noqa: B023
        for name, covers in (("swap", False), ("swap with covers", True)):
            settings = replace(SwapSettings(), covers=covers)
            timed(name, lambda: swap_faces(parts, swapper, who, settings, parser=parser))  # noqa: B023
        timed("insightface", theirs(parts))
        if number in (9, arguments.frames - 1):
            print(f"frame {number + 1}: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB at most")
    for name, values in times.items():
        print(f"{name}: {statistics.median(values):.3f} s of a core a frame")


if __name__ == "__main__":
    main()
