"""Portraits -> layouts in one frame: the chin in the middle, all eyes equally far apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...detectors.builtin import BuiltinDetector
from ...detectors.find import find_faces
from ...detectors.parser_builtin import BuiltinParser
from ...detectors.parser_regions import parse_with_builtin
from ...detectors.selection import choose
from ...fusion.regions.complete import calibrated
from ...fusion.regions.layout import layout_of
from ...fusion.regions.neck import Neck, moved_neck, neck_of
from ...injection.hs_diffusion.layout_net import cut
from ..core.pictures import prepare as store

# Side of the stored square in cells, and its cells for one eye distance, as many as the network has.
FRAME, UNIT = 200, 20


@dataclass(frozen=True, eq=False)
class Stored:
    """One person. `areas`: (5, FRAME, FRAME) float32 0..1, all 0 beyond the picture. `neck`: in cells."""

    areas: Tensor
    neck: Neck


def prepare(pictures: Sequence[Path], folder: Path, progress: Callable[[int], None]) -> None:
    """Parse the pictures that `folder` does not have yet; those without a face are left out."""
    detector, parser = BuiltinDetector(), BuiltinParser()
    store(pictures, folder, lambda picture: _parse(picture, detector, parser), progress)


def _parse(
    picture: Tensor, detector: BuiltinDetector, parser: BuiltinParser
) -> dict[str, Any] | None:
    parts = parse_with_builtin(choose(picture, find_faces(picture, detector), "large-small"), parser)
    face = parts.face(0)
    if face is None:
        return None
    plain = layout_of(picture[0], face)
    neck = neck_of(face, plain)
    matrix = torch.cat([torch.eye(2), (FRAME / 2 * neck.unit / UNIT - neck.chin)[:, None]], 1) * UNIT / neck.unit
    areas, moved = cut(calibrated(plain, neck), matrix, FRAME), moved_neck(neck, matrix)
    values = {name: value for name, value in vars(moved).items() if value is not None}
    return {"areas": (areas * 255).round().byte().numpy(), **values}


def load(folder: Path) -> dict[str, Stored]:
    return {path.stem: _stored(path) for path in sorted(folder.glob("*.npz"))}


def _stored(path: Path) -> Stored:
    values = dict(np.load(path))
    points = {name: torch.from_numpy(values[name]).float() for name in ("eyes", "chin", "down", "middle")}
    width = float(values["width"]) if "width" in values else None
    neck = Neck(
        **points, unit=float(values["unit"]), size=float(values["size"]), width=width, base=float(values["base"]),
        angles=None,
    )  # fmt: skip
    return Stored(torch.from_numpy(values["areas"]).float() / 255, neck)
