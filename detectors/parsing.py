"""Face parsing: class maps of nets trained on CelebAMask-HQ become regions of the chosen faces.

The 19 classes are those of CelebAMask-HQ (Lee et al. 2020). Their left and right are the person's. Here left and right
are the picture's, so the sides are separated by position and never by class.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from .boxes import centre_of, window_of
from .crops import crop, to_crop
from .given import mask_per_picture, mask_region
from .parts import GROUPS, Face, FaceParts, Region
from .progress import Progress, counted
from .schemes import anchors

REPLACE = ("only missing", "all")
MASK_PARTS = ("hair", "ears", "neck", "head", "body", "glasses")

# The classes as BiSeNet-type nets number them (zllrunning/face-parsing.PyTorch and its many descendants).
BISENET = (
    "background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "glasses", "l_ear", "r_ear", "earring",
    "nose", "mouth", "u_lip", "l_lip", "neck", "necklace", "cloth", "hair", "hat",
)  # fmt: skip
# Other names of the classes; CelebAMask-HQ itself calls earring and necklace `ear_r` and `neck_l`.
_SYNONYMS = {
    "eye_g": "glasses", "eyeglasses": "glasses", "eye_glasses": "glasses", "ear_r": "earring", "earrings": "earring",
    "neck_l": "necklace", "clothes": "cloth", "clothing": "cloth", "face": "skin", "upper_lip": "u_lip",
    "lower_lip": "l_lip", "inner_mouth": "mouth", "left_brow": "l_brow", "right_brow": "r_brow",
    "left_eyebrow": "l_brow", "right_eyebrow": "r_brow", "left_eye": "l_eye", "right_eye": "r_eye",
    "left_ear": "l_ear", "right_ear": "r_ear",
}  # fmt: skip

_LIPS = ("u_lip", "l_lip")
_FACE = ("skin", "l_brow", "r_brow", "l_eye", "r_eye", "glasses", "nose", "mouth", *_LIPS)
# Part -> the classes that the parser must know for it, and further classes that belong to it.
CLASSES_OF: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "eyes": (("l_eye", "r_eye"), ()),
    "brows": (("l_brow", "r_brow"), ()),
    "nose": (("nose",), ()),
    "mouth": (_LIPS, ("mouth",)),
    "lips": (_LIPS, ()),
    "inner_mouth": (("mouth",), ()),
    "skin": (("skin",), _FACE),
    "ears": (("l_ear", "r_ear"), ()),
    "hair": (("hair",), ()),
    "neck": (("neck",), ("necklace",)),
    "head": (("skin", "hair"), (*_FACE, "l_ear", "r_ear", "earring", "hat")),
    "body": (("cloth",), ()),
    "glasses": (("glasses",), ()),
}
# Parts that become an empty region when the parser knows them but sees none: no landmarks could outline them.
_MAY_BE_EMPTY = MASK_PARTS

# The square of CelebA-HQ's crops (Karras et al. 2018, appendix C), on which these nets are trained. Half its side is
# the larger of these multiples of the distance between the eyes, and of the distance from eyes to mouth.
_EYES, _MOUTH = 2.0, 1.8
# How far its centre lies below the eyes, in distances from eyes to mouth.
_BELOW = 0.1
# The same square without landmarks: its side in longer sides of the face's box.
_BOX = 1.8


class Parser(Protocol):
    """A net that classifies every pixel of a face: (1, 3, size, size) RGB 0..1 -> (1, size, size) int64 class numbers.

    `size`: side of its square input in pixels. `names`: its classes by number, as in BISENET, "" for a class that is
    not among those.
    """

    size: int
    names: tuple[str, ...]

    def __call__(self, crops: Tensor) -> Tensor: ...


def class_names(labels: Sequence[str]) -> tuple[str, ...]:
    """A model's own labels, by number -> the names of BISENET, "" for a label that is not among them.

    Raises ValueError when `skin` is missing, because such a model does not parse faces.
    """
    plain = [re.sub(r"[\s\-]+", "_", label.strip().lower()) for label in labels]
    names = tuple(_SYNONYMS.get(name, name if name in BISENET else "") for name in plain)
    if "skin" not in names:
        raise ValueError(
            f"this model names its classes {', '.join(labels)}, which are not classes of a face; needed are names such "
            f"as {', '.join(BISENET)} in id2label of its config.json"
        )
    return names


def parse_faces(
    parts: FaceParts,
    parser: Parser,
    *,
    padding: float = 0.25,
    replaced: str = "only missing",
    progress: Progress | None = None,
) -> FaceParts:
    """The same pictures, every chosen face with the regions that `parser` sees, as masks.

    `padding`: the parsed area is an upright square around the face, CelebA-HQ's own and this share larger (0.25: a
    quarter).
    `replaced`: "only missing" adds the parts that a face does not have; "all" also replaces those that the parser sees.

    `skin` is the whole face with all that lies on it, like the oval of the landmarks. `head` is the face with hair,
    ears and what is worn on them. `background` is all that is neither head nor neck, beyond the square too. Those of
    MASK_PARTS that the parser knows but does not see become empty regions. Parts that it does not know stay absent.

    Raises ValueError for another `replaced` and for a `padding` outside 0..4.
    """
    check_settings(padding, replaced)
    faces = []
    for i in counted(range(len(parts)), progress):
        face = parts.face(i)
        if face is not None:
            parsed = _parse(parts.pictures[i], face, parser, padding)
            regions = {**face.regions, **parsed} if replaced == "all" else {**parsed, **face.regions}
            face = replace(face, regions=regions)
        faces.append(face)
    return with_chosen(parts, faces)


def check_settings(padding: float, replaced: str) -> None:
    if replaced not in REPLACE:
        raise ValueError(f"replace is '{replaced}'; choose one of {', '.join(REPLACE)}")
    if not 0 <= padding <= 4:
        raise ValueError(f"padding is {padding}; it goes from 0 to 4 and 0.25 adds a quarter of the square")


def with_masks(parts: FaceParts, masks: Mapping[str, Tensor | None]) -> FaceParts:
    """The same pictures, every chosen face with the masks as its parts, in place of those that it had.

    `masks`: part (of MASK_PARTS) -> (B, H, W), (H, W) or (B, 1, H, W), one mask for each picture or one for all, or
    None. Where the mask of a picture is empty, its face has that part with an empty region. A head follows hair and
    ears, and a background the head and the neck, unless they have a mask themselves.

    Raises ValueError naming the part for another shape, count or aspect ratio, and when all its masks are empty.
    """
    faces = [parts.face(i) for i in range(len(parts))]
    for part, mask in masks.items():
        if mask is None:
            continue
        try:
            by_picture = mask_per_picture(mask, parts.pictures)
        except ValueError as problem:
            raise ValueError(f"the mask wired into {part}: {problem}") from problem
        if not bool((by_picture > 0.5).any()):
            raise ValueError(f"the mask wired into {part} is empty; paint the {part} white (above 0.5), or unplug it")
        faces = [
            None if face is None else replace(face, regions=_with_mask(face.regions, part, one, masks))
            for face, one in zip(faces, by_picture, strict=True)
        ]
    return with_chosen(parts, faces)


def _with_mask(
    regions: Mapping[str, Region], part: str, mask: Tensor, masks: Mapping[str, Tensor | None]
) -> dict[str, Region]:
    """The regions of a face with a mask (H, W) as one part, and with a head and a background that follow it."""
    changed = {**regions, part: region_of(mask)}
    head = regions.get("head")
    if part in ("hair", "ears") and head and head.mask is not None and masks.get("head") is None:
        without = _whole(head, mask) * (1 - _whole(regions.get(part), mask))
        changed["head"] = region_of(torch.maximum(without, mask))
    if part in ("hair", "ears", "head", "neck") and "background" in regions and "head" in changed:
        people = _whole(changed["head"], mask) + _whole(changed.get("neck"), mask)
        changed["background"] = region_of((1 - people).clamp(0, 1))
    return changed


def _whole(region: Region | None, like: Tensor) -> Tensor:
    """The mask of a region over the whole picture, (H, W) 0..1; zeros without one."""
    whole = torch.zeros_like(like)
    if region is not None and region.mask is not None:
        (x, y), (height, width) = region.corner, region.mask.shape
        whole[y : y + height, x : x + width] = region.mask
    return whole


def without_head(parts: FaceParts) -> FaceParts:
    """For a preview: the chosen faces without `head` where they have hair, which the head would cover."""
    faces = [parts.face(i) for i in range(len(parts))]
    faces = [
        replace(f, regions={p: r for p, r in f.regions.items() if p != "head"}) if f and f.has("hair") else f
        for f in faces
    ]
    return with_chosen(parts, faces)


def with_chosen(parts: FaceParts, chosen: Sequence[Face | None]) -> FaceParts:
    """The same record with another chosen face for each picture, None to keep the picture's own."""
    faces = tuple(
        tuple(new if new is not None and number == parts.chosen[i] else face for number, face in enumerate(own))
        for i, (own, new) in enumerate(zip(parts.faces, chosen, strict=True))
    )
    return replace(parts, faces=faces)


def _parse(picture: Tensor, face: Face, parser: Parser, padding: float) -> dict[str, Region]:
    square = head_square(face, 1 + padding)
    labels = parser(crop(picture.permute(2, 0, 1), square, parser.size)[None])[0]
    to_picture = _from_crop(square, (picture.shape[0], picture.shape[1]))
    cropped = {**_areas(labels, parser.names), **_sided(labels, parser.names, face, square)}
    areas = {part: to_picture(area) for part, area in cropped.items()}
    if "head" in areas:
        areas["background"] = (1 - areas["head"] - areas.get("neck", torch.zeros(()))).clamp(0, 1)
    return {part: region_of(area) for part, area in areas.items() if part in _MAY_BE_EMPTY or bool((area > 0.5).any())}


def _areas(labels: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """Label map (s, s) -> for each part without sides whose classes the parser knows, (s, s) 0 or 1."""
    return {
        part: _mask_of(labels, names, (*needed, *further))
        for part, (needed, further) in CLASSES_OF.items()
        if part not in GROUPS and set(needed) <= set(names)
    }


def _sided(labels: Tensor, names: Sequence[str], face: Face, square: Tensor) -> dict[str, Tensor]:
    """Eyes and brows, (s, s) 0 or 1 each, divided by the vertical line through the middle between the eyes."""
    columns = torch.arange(labels.shape[1]) + 0.5
    right = (columns > to_crop(middle_of_eyes(face)[None, None], square[None], labels.shape[1])[0, 0, 0]).float()
    areas = {}
    for group, members in GROUPS.items():
        needed = CLASSES_OF[group][0]
        if set(needed) <= set(names):
            both = _mask_of(labels, names, needed)
            for part, side in zip(members, (1 - right, right), strict=True):
                areas[part] = both * side
    return areas


def _mask_of(labels: Tensor, names: Sequence[str], classes: Sequence[str]) -> Tensor:
    numbers = torch.tensor([i for i, name in enumerate(names) if name in classes])
    return torch.isin(labels.cpu(), numbers).float()


def _from_crop(square: Tensor, size: tuple[int, int]) -> Callable[[Tensor], Tensor]:
    """A function from an area of the crop (s, s) to the same area of the picture: (H, W) 0..1, 0 beyond the square."""
    side = float(square[2])
    # Half the diagonal, since the square may be turned.
    reach = side * 0.7072 + 1
    low, high = (square[:2] - reach).tolist(), (square[:2] + reach).tolist()
    x0, y0, x1, y1 = window_of((*low, *high), size) or (0, 0, 0, 0)
    ys, xs = torch.meshgrid(torch.arange(y0, y1) + 0.5, torch.arange(x0, x1) + 0.5, indexing="ij")
    grid = (to_crop(torch.stack([xs, ys], -1).reshape(1, -1, 2), square[None], 2) - 1).reshape(1, *xs.shape, 2)

    def to_picture(area: Tensor) -> Tensor:
        # With a small face, several pixels of the crop make one of the picture.
        smaller = functional.avg_pool2d(area[None, None], max(1, int(area.shape[0] / side)))
        whole = torch.zeros(size)
        if grid.numel():
            whole[y0:y1, x0:x1] = functional.grid_sample(smaller, grid, "bilinear", "zeros", align_corners=False)[0, 0]
        return whole

    return to_picture


def region_of(area: Tensor) -> Region:
    return mask_region(area) if float(area.amax()) > 0 else Region(mask=torch.zeros(1, 1))


def head_square(face: Face, scale: float = 1.0) -> Tensor:
    """CelebA-HQ's square (4,) around the face, `scale` times as wide: centre, side, angle as in `detectors.crops`."""
    if not face.scheme:
        x0, y0, x1, y1 = face.box
        return torch.tensor([*centre_of(face.box), scale * _BOX * max(x1 - x0, y1 - y0), 0.0])
    named = anchors(face.landmarks, face.scheme)
    across = named["right_eye"] - named["left_eye"]
    eyes = middle_of_eyes(face)
    down = (named["mouth_left"] + named["mouth_right"]) / 2 - eyes
    along = across + torch.stack([down[1], -down[0]])
    half = max(_EYES * float(across.norm()), _MOUTH * float(down.norm()))
    centre = eyes + _BELOW * down
    return torch.stack([*centre, torch.tensor(2 * scale * half), torch.atan2(along[1], along[0])])


def middle_of_eyes(face: Face) -> Tensor:
    """The middle (2,) between the eyes; without landmarks, that of the box."""
    if not face.scheme:
        return torch.tensor(centre_of(face.box))
    named = anchors(face.landmarks, face.scheme)
    return (named["left_eye"] + named["right_eye"]) / 2
