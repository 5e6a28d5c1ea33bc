"""Figures of spectacles in the built-in face parser:

    python benchmarks/spectacles.py --portraits PORTRAITS

PORTRAITS is the folder of portraits on which the parser was trained. Measured are: on which of them spectacles are
seen, against what people saw; and, on those that training left out, the overlap of frames and lenses with spectacles
drawn over them, in pixels of the portrait. Needs Pillow only.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from pack import load_pack
from PIL import Image
from torch import Tensor

load_pack()
from face_part_fusion.detectors.builtin import BuiltinDetector  # noqa: E402
from face_part_fusion.detectors.parser_builtin import BuiltinParser, Parse  # noqa: E402
from face_part_fusion.detectors.parts import Face  # noqa: E402
from face_part_fusion.training.parser.portraits import WEARERS, held_out  # noqa: E402
from face_part_fusion.training.parser.spectacles import draw  # noqa: E402

# Spectacles drawn on each of the portraits that training left out.
_PAIRS = 2


def say(name: str, *figures: str) -> None:
    sys.stdout.write(f"{name:<42}" + "".join(f"{figure:>16}" for figure in figures) + "\n")


def parsed(paths: list[Path], parser: BuiltinParser) -> Iterator[tuple[str, Tensor, Face, Parse]]:
    detector = BuiltinDetector()
    for path in paths:
        picture = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).float() / 255
        face = detector(picture[None])[0][0]
        yield path.stem, picture, face, parser(picture, face)


def drawn(picture: Tensor, face: Face, parse: Parse, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """The picture with spectacles, and (H, W) bool each: frame and lens."""
    depth = torch.zeros(len(face.landmarks)) if face.depth is None else face.depth
    points = torch.cat((face.landmarks, depth[:, None]), 1).numpy()
    skin = parse.of("face", "ears", "hair").numpy() > 0.5
    rgb, frame, lens = (torch.from_numpy(array) for array in draw(255 * picture.numpy(), points, skin, rng))
    return rgb.round() / 255, frame > 0.5, (lens > 0.5) & (frame <= 0.5)


def overlap(area: Tensor, truth: Tensor) -> float:
    return float((area & truth).sum() / (area | truth).sum().clamp(min=1))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--portraits", type=Path, required=True)
    paths = sorted(arguments.parse_args().portraits.glob("*.jpg"))
    parser, left_out, rng = BuiltinParser(), held_out([path.stem for path in paths]), np.random.default_rng(77)
    worn: dict[str, bool] = {}
    overlaps: dict[str, list[float]] = {"frame": [], "lens": [], "both": []}
    missed = 0
    for name, picture, face, parse in parsed(paths, parser):
        worn[name] = parse.spectacles
        for _ in range(_PAIRS if name in left_out else 0):
            shown, *truth = drawn(picture, face, parse, rng)
            seen = parser(shown, face)
            missed += not seen.spectacles
            areas = [seen.of(part) > 0.5 for part in ("frame", "lens")]
            both = (*areas, areas[0] | areas[1]), (*truth, truth[0] | truth[1])
            for part, area, wanted in zip(overlaps, *both, strict=True):
                overlaps[part].append(overlap(area, wanted))
    for what, names in (
        ("worn, seen", WEARERS), ("not worn, seen", set(worn) - WEARERS), ("the same, left out of training", left_out),
    ):  # fmt: skip
        say(what, f"{sum(worn[name] for name in names)} of {len(names)}")
    say("drawn, not seen", f"{missed} of {len(overlaps['frame'])}")
    for part, values in overlaps.items():
        say(f"{part}: IoU with the drawn", f"mean {np.mean(values):.2f}", f"median {statistics.median(values):.2f}")


if __name__ == "__main__":
    main()
