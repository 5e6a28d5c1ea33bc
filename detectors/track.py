"""One person in a film: where the face was last, where it should be next, and what it looks like."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional

from . import crops
from .boxes import centre_of
from .meshes import squares_around
from .parts import Face
from .tiles import overlaps

# Side of the small picture by which a face is compared with itself some frames earlier, and its margin around the face.
_LOOK, _LOOK_MARGIN = 24, 1.05
# Looks of one face that are kept, and the cosine to all others below which a look is new.
_LOOKS, _NEW_LOOK = 8, 0.93
# Meshes that share this much of the smaller box lie over one face.
_ONE_FACE = 0.6


@dataclass(eq=False)
class Track:
    """One person. `face`: where it was last. `lost`: frames since. `step`: (2,) pixels that it moved per frame."""

    face: Face
    looks: list[Tensor]
    lost: int = 0
    step: Tensor = field(default_factory=lambda: torch.zeros(2))
    person: Tensor | None = None

    def expected(self) -> Face:
        """The face where it should be in the next frame."""
        step = self.step if self.lost == 0 else torch.zeros(2)
        x, y = step.tolist()
        x0, y0, x1, y1 = self.face.box
        return replace(self.face, box=(x0 + x, y0 + y, x1 + x, y1 + y), landmarks=self.face.landmarks + step)

    def likeness(self, look: Tensor) -> float:
        return max(float(look @ own) for own in self.looks)

    def update(self, face: Face, look: Tensor) -> None:
        before, now = (torch.tensor(centre_of(one.box)) for one in (self.face, face))
        self.step = torch.lerp(self.step, now - before, 0.5) if self.lost == 0 else torch.zeros(2)
        if self.likeness(look) < _NEW_LOOK:
            # The first one stays: it is surely the chosen person's.
            self.looks = [self.looks[0], *self.looks[1:][-(_LOOKS - 2) :], look]
        self.face, self.lost = face, 0


def look_of(picture: Tensor, face: Face) -> Tensor:
    """(n,), of length 1: a small upright picture of the face, without its mean."""
    square = squares_around(face.landmarks[None])[0] * torch.tensor([1, 1, _LOOK_MARGIN / crops.MARGIN, 1])
    small = crops.crop(picture.permute(2, 0, 1), square, _LOOK)
    # Around the middle, where the face is and not what is behind it.
    line = torch.hann_window(_LOOK, periodic=False)
    weights = (line[:, None] * line).sqrt()
    mean = (small * weights).sum((1, 2), keepdim=True) / weights.sum()
    return functional.normalize(((small - mean) * weights).flatten(), dim=0)


def size_of(face: Face) -> float:
    return max(face.box[2] - face.box[0], face.box[3] - face.box[1], 1.0)


def distance(one: Face, other: Face) -> float:
    """The distance of two faces in sizes of the first."""
    (x, y), (u, v) = centre_of(one.box), centre_of(other.box)
    return float(((x - u) ** 2 + (y - v) ** 2) ** 0.5) / size_of(one)


def is_same_face(face: Face, other: Face) -> bool:
    one, two = (torch.tensor(each.box).view(2, 2) for each in (face, other))
    return float(overlaps(one[None], two)[1][0]) > _ONE_FACE
