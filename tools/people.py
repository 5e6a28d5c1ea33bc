"""The two photographs in the public domain of which the tools draw pictures, and what the pack finds in them.

grace_hopper.jpg (US Navy) lies in matplotlib's wheel, below matplotlib/mpl-data/sample_data, and is named on the
command line; scikit-image ships the astronaut (Eileen Collins, NASA).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import conftest  # noqa: E402, F401  (maps the repository to the package face_part_fusion)
from face_part_fusion.command.faces import faces_in_photo  # noqa: E402
from face_part_fusion.command.photo import to_image  # noqa: E402
from face_part_fusion.detectors.builtin import BuiltinDetector  # noqa: E402
from face_part_fusion.detectors.parsing import with_masks  # noqa: E402
from face_part_fusion.detectors.parts import FaceParts  # noqa: E402
from face_part_fusion.fusion.composite import PartReference, composite  # noqa: E402
from face_part_fusion.fusion.crop import crop_faces  # noqa: E402

SIDE = 512
COLOURS = {"eyes": (255, 183, 64), "nose": (102, 204, 140), "mouth": (244, 104, 104), "skin": (120, 170, 255)}


def arguments(description: str | None, into: Path) -> argparse.Namespace:
    """`portrait` and `into` from the command line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--portrait", type=Path, required=True, help="matplotlib's grace_hopper.jpg")
    parser.add_argument("--into", type=Path, default=into)
    return parser.parse_args()


@dataclass(frozen=True, eq=False)
class Person:
    """`whole`: the photograph. `near`: its face in a square of 512 pixels. Both with all parts, painted ones too."""

    whole: FaceParts
    near: FaceParts


def person(picture: Tensor, detector: BuiltinDetector, masks: Mapping[str, Tensor]) -> Person:
    whole = with_masks(faces_in_photo(picture, detector), masks)
    return Person(whole, close_up(whole))


def close_up(parts: FaceParts) -> FaceParts:
    """The face in a square of its own, with some hair and collar."""
    return crop_faces(parts, SIDE, "upright", 0.42)[1]


def fused(target: FaceParts, giver: FaceParts, *parts: str) -> Tensor:
    return composite(target, [PartReference(giver, dict.fromkeys(parts, 1.0))])[0]


def outlined(
    parts: FaceParts, *names: str, colours: Mapping[str, tuple[int, int, int]] = COLOURS, width: int = 9
) -> Image.Image:
    """The face with these parts drawn round."""
    image, face = to_image(parts.pictures[0]), parts.face(0)
    pen = ImageDraw.Draw(image)
    for name in names:
        for ring in (ring for region in face.region(name) for ring in region.rings):
            points = [tuple(point) for point in ring.tolist()]
            pen.line([*points, *points[:2]], colours[name], width, "curve")
    return image
