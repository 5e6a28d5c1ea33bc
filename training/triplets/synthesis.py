"""Two people -> what a cycle triplet is made of: each of them with the other's identity (arXiv 2306.05356)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ...detectors.parser_builtin import BuiltinParser
from ...fusion.dilation import dilate
from ...fusion.push_pull import fill_holes
from ..shards.classes import HAIR, SKIN, blend_mask, class_map, inner_face
from ..shards.person import Person
from .colour import transfer_colours
from .multi_band import blend
from .reenact import Reenactment
from .reshape import dropped, region_code, reshaped

# Role, number as in the published training program, and which pictures are target, source and result.
TRIPLETS = (
    ("naive", 2, "c_a", "c_b", "c_ab"), ("naive", 3, "c_b", "c_a", "c_ba"),
    ("cycle", 4, "c_ab", "c_ba", "c_a"), ("cycle", 5, "c_ba", "c_ab", "c_b"),
)  # fmt: skip
# Share of the picture's side by which the new face's skin goes on beyond its mask before the blend, so that nothing of
# what lies around the source is blended in.
_REACH = 0.02
# Share of the picture's side from the source's hair within which the target's own skin shows.
_NEAR_HAIR = 0.02
# Pixels of skin below which its tone cannot be read.
_LEAST_SKIN = 200


class Stages(NamedTuple):
    """What each step made of one direction, for looking at: (S, S, 3), and the codes (S, S)."""

    reenacted: Tensor
    blended: Tensor
    coloured: Tensor
    code: Tensor
    result: Tensor


def give_face(source: Person, target: Person, reenact: Reenactment, parser: BuiltinParser) -> Stages:
    """The target's photograph with the source's identity."""
    reenacted = reenact(source, target)
    classes, _ = class_map(reenacted.picture, reenacted.face, parser)
    mask = torch.maximum(blend_mask(classes, target.classes), _strands(classes))
    new = _in_the_tone_of(target, reenacted.picture, classes)
    blended = blend(target.picture, _over(target.picture, new, 1 - mask), mask)
    coloured = transfer_colours(blended, target.picture).clamp(0, 1)
    code = region_code(inner_face(target.classes), inner_face(classes))
    drop = dropped(code, (classes == HAIR) | (target.classes == HAIR))
    return Stages(reenacted.picture, blended, coloured, code, reshaped(coloured, drop, code))


def cycle(a: Person, b: Person, reenact: Reenactment, parser: BuiltinParser) -> dict[str, Tensor]:
    """The four pictures of TRIPLETS, (S, S, 3) 0..1: c_ab is a's photograph with b's identity, c_ba the reverse."""
    return {
        "c_a": a.picture,
        "c_b": b.picture,
        "c_ab": give_face(b, a, reenact, parser).result,
        "c_ba": give_face(a, b, reenact, parser).result,
    }


def _in_the_tone_of(target: Person, picture: Tensor, classes: Tensor) -> Tensor:
    """The picture with a gain for each colour that gives its skin the target's mean, where both show enough of it."""
    own, other = picture[classes == SKIN], target.picture[target.classes == SKIN]
    if min(len(own), len(other)) < _LEAST_SKIN:
        return picture
    return (picture * (other.mean(0) / own.mean(0).clamp_min(1e-3))).clamp(0, 1)


def _strands(classes: Tensor) -> Tensor:
    """(S, S): 1 where the source's hair is near, whose strands and shadow would stay on the forehead as a line."""
    hair = (classes == HAIR).float()
    return dilate(hair[None, None], max(1, round(_NEAR_HAIR * len(hair))))[0, 0]


def _over(target: Tensor, picture: Tensor, face: Tensor) -> Tensor:
    """The face, where `face` (S, S) is 1, over the target; its skin goes on a little beyond."""
    reach = max(1, round(_REACH * face.shape[0]))
    wide = dilate(face[None, None], 2 * reach)
    soft = functional.avg_pool2d(functional.pad(wide, (reach,) * 4, mode="replicate"), 2 * reach + 1, 1)[0, 0]
    # The outermost skin has the colour of the hair beside it.
    inside = 1 - dilate(1 - face[None, None], max(1, reach // 2))[0, 0]
    return torch.lerp(target, fill_holes(picture, inside), soft[..., None])
