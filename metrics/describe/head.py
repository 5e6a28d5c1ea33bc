"""Where the head points."""

from __future__ import annotations

from collections.abc import Iterator

from .attribute import Attribute, Scale
from .view import FaceView

# Degrees. Ramps are about the error of the mesh's own angles beside another estimator's.
_YAW = Scale(
    ("profile left", "turned left", "slightly left", "frontal", "slightly right", "turned right", "profile right"),
    (-55, -28, -10, 10, 28, 55), 3.0,
)  # fmt: skip
_PITCH = Scale(("lowered", "slightly lowered", "level", "slightly raised", "raised"), (-25, -12, 12, 25), 3.0)
_ROLL = Scale(("tilted left", "upright", "tilted right"), (-8, 8), 1.5)


def head(view: FaceView) -> Iterator[Attribute]:
    """Yaw, pitch and roll in degrees, left and right as seen in the picture."""
    if view.face.angles is None:
        return
    yaw, pitch, roll = view.face.angles
    yield _YAW.read("yaw", yaw, "degrees")
    yield _PITCH.read("pitch", pitch, "degrees", 0.9)
    yield _ROLL.read("roll", roll, "degrees")
