"""Spectacles, hats, and what else covers a face."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from .attribute import Attribute, Scale
from .view import FaceView

# Squared eye distances of frame and lenses.
_SPECTACLES = Scale(("none", "spectacles"), (0.1,), 0.03)
# Squared eye distances of what belongs to the head above the eyes and is neither skin, hair nor ear.
_HAT = Scale(("none", "hat"), (1.4,), 0.3)
# Share of the face.
_COVERED = Scale(("nothing", "something"), (0.06,), 0.02)
# Distance in a and b, and steps of L, from which something is not skin.
_OTHER_COLOUR, _DARKER = 14.0, 30.0


def worn(view: FaceView) -> Iterator[Attribute]:
    unit = float((view.wide_points[263] - view.wide_points[33]).norm().clamp_min(1e-3))
    glasses = view.mask("glasses")
    if glasses is not None:
        yield _SPECTACLES.read("spectacles", float(glasses.sum()) / unit**2, "squared eye distances")
    hat = hat_area(view, unit)
    if hat is not None:
        yield _HAT.read("hat", hat, "squared eye distances", 0.95)
    cover = view.face.covered.get("skin")
    if cover is not None:
        yield _COVERED.read("covered", cover.get("something in front", 0.0), "share")


def hat_area(view: FaceView, unit: float) -> float | None:
    """Squared eye distances of the head above the eyes that are not hair and do not have the colour of the skin."""
    head, hair = view.mask("head"), view.mask("hair")
    if head is None or hair is None:
        return None
    eyes = view.wide_points[[33, 263], 1].mean()
    above = torch.arange(head.shape[0])[:, None] < eyes - 0.3 * unit
    other = (view.wide_lab - view.skin[:3])[..., 1:].norm(dim=-1) > _OTHER_COLOUR
    darker = view.wide_lab[..., 0] < view.skin[0] - _DARKER
    return float(((head - hair).clamp(0, 1) * above * (other | darker)).sum()) / unit**2
