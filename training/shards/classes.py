"""The 19 classes by which ReliableSwap's program masks faces, from the pack's own parser and mesh."""

from __future__ import annotations

import torch
from torch import Tensor

from ...detectors.parser_builtin import BuiltinParser
from ...detectors.parts import Face
from ...fusion.masks import part_mask

# Numbers of CelebAMask-HQ as the published parser has them; 15 and 16, jewellery, the pack's parser does not know.
BACKGROUND, SKIN, NOSE, GLASSES, LEFT_EYE, RIGHT_EYE, LEFT_BROW, RIGHT_BROW, EARS = range(9)
TEETH, UPPER_LIP, LOWER_LIP, HAIR, HAT, NECK, CLOTHES = 10, 11, 12, 13, 14, 17, 18
# Classes of the pack's parser -> ours. A hand before the face is ground, so that the target's stays.
_PARSED = {
    "background": BACKGROUND, "occluder": BACKGROUND, "face": SKIN, "lens": SKIN, "frame": GLASSES, "ears": EARS,
    "hair": HAIR, "hat": HAT, "neck": NECK, "body": CLOTHES,
}  # fmt: skip
_PARTS = {
    "left_brow": LEFT_BROW, "right_brow": RIGHT_BROW, "left_eye": LEFT_EYE, "right_eye": RIGHT_EYE, "nose": NOSE,
}  # fmt: skip


def class_map(picture: Tensor, face: Face, parser: BuiltinParser) -> tuple[Tensor, bool]:
    """The class of each pixel, and whether the person wears spectacles.

    `picture`: (S, S, 3) float32, 0..1.
    `face`: its face, with the regions of its mesh.

    Returns (S, S) uint8 and a bool.
    """
    parse = parser(picture, face)
    likely = torch.stack([parse.of(name) for name in _PARSED]).argmax(0)
    classes = torch.tensor(list(_PARSED.values()), dtype=torch.uint8)[likely]
    size = (picture.shape[0], picture.shape[1])
    # Hair, a hand or a frame over a part stays what the parser sees.
    skin = classes == SKIN
    for part, number in _PARTS.items():
        if face.shows(part):
            classes[skin & (part_mask(face, [part], size) > 0.5)] = number
    if face.shows("mouth"):
        _paint_mouth(classes, face, skin, size)
    return classes, parse.spectacles


def inner_face(classes: Tensor) -> Tensor:
    """(H, W) bool: classes 1 to 12 without the ears, the part of a head that a face swap changes."""
    return (classes >= SKIN) & (classes <= LOWER_LIP) & (classes != EARS)


def blend_mask(reenacted: Tensor, target: Tensor) -> Tensor:
    """Two class maps (H, W) -> (H, W) float32: 1 where the target shows, 0 where the reenacted face does.

    Hair of either picture is the target's side.
    """
    hair = (reenacted == HAIR) | (target == HAIR)
    return (~inner_face(reenacted) | hair).float()


def _paint_mouth(classes: Tensor, face: Face, skin: Tensor, size: tuple[int, int]) -> None:
    """Teeth and both lips, which part at the line between the corners of the mouth; in place."""
    mouth = skin & (part_mask(face, ["mouth"], size) > 0.5)
    inside = mouth & (part_mask(face, ["inner_mouth"], size) > 0.5) if face.shows("inner_mouth") else mouth & False
    x0, y0, x1, y1 = face.box_of("inner_mouth" if face.shows("inner_mouth") else "mouth")
    above = torch.arange(size[0])[:, None] + 0.5 < (y0 + y1) / 2
    classes[mouth & above] = UPPER_LIP
    classes[mouth & ~above] = LOWER_LIP
    classes[inside] = TEETH
