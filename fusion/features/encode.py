"""Faces -> encoder tokens of their parts, as published for FuseAnyPart or from closer up.

Source: FuseAnyPart (arXiv 2410.22771), and its published program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ...detectors.parts import FaceParts
from ...detectors.progress import Progress, counted, stages
from ..area import FEATURE_PARTS
from ..strengths import check_strength, positive_strengths
from .encoder import Encoder, tokens_and_unconditioned
from .painted import paint_out
from .part_pictures import View, chosen_faces, close_view, picture_boxes, released_view, soft_mask, with_sides
from .pixel_values import close_pixels, published_pixels, shown_pictures
from .records import MODES, RELEASED_PARTS, ReferenceFeatures, TargetFeatures, TargetPicture


@dataclass(frozen=True)
class Framing:
    """How faces are shown to the encoder.

    `mode`: of MODES.
    `stacked`: whether boxes touch one another, as in the published samples; mode "released" only.
    `padding`: margin per side, in face sizes, 0..2; mode "practical" only.
    """

    mode: str = MODES[0]
    stacked: bool = True
    padding: float = 0.1

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode is '{self.mode}'; choose one of {', '.join(MODES)}")
        if not 0 <= self.padding <= 2:
            raise ValueError(f"padding is {self.padding}; it goes from 0 to 2 face sizes")

    @property
    def published(self) -> bool:
        return self.mode == "released"

    def view(
        self, parts: FaceParts, names: Sequence[str], encoder: Encoder, align: str, progress: Progress | None = None,
        mask: Tensor | None = None,
    ) -> View:  # fmt: skip
        """`released_view` or `close_view`."""
        if self.published:
            return released_view(parts, names, self.stacked)
        return close_view(parts, names, encoder.covered_side, align, self.padding, progress, mask)

    def pixels(self, pictures: Tensor, encoder: Encoder, progress: Progress | None = None) -> Tensor:
        """Pictures of a view (N, h, w, 3) -> pixel values (N, 3, size, size)."""
        return published_pixels(pictures, encoder, progress) if self.published else close_pixels(pictures, encoder)


def encode_reference(
    parts: FaceParts,
    encoder: Encoder,
    strengths: Mapping[str, float],
    framing: Framing,
    progress: Progress | None = None,
    mask: Tensor | None = None,
) -> tuple[ReferenceFeatures, Tensor]:
    """Encode the parts that one person gives, each from a picture that is black outside the part.

    `parts`: B pictures with their faces.
    `strengths`: part -> 0..1; parts at 0 are left out.
    `progress`: called after each picture, and after each chunk that was encoded.
    `mask`: (B or 1, H, W) over the pictures, 0..1, 1 = may be taken; mode "practical" only.

    Returns the features, and the pictures that were encoded (B * parts, size, size, 3), picture by picture.
    Raises ValueError when all strengths are 0, for a part that the mode does not know, a picture without a chosen face
    and a mask that leaves nothing of a part; PartMissing for a part that a face does not have.
    """
    strengths = _checked_strengths(strengths, framing, "this person gives nothing: set at least one part above 0")
    if mask is not None and framing.published:
        raise ValueError(
            "mask is wired in and mode is 'released', which takes whole boxes as published; a mask works in "
            "'practical' only. Take the mask off, or encode the target and all references in mode 'practical'"
        )
    names = list(strengths)
    view_progress, *pixel_progress, encoder_progress = stages(progress, 2 + len(names))
    view = framing.view(parts, names, encoder, "upright", view_progress, mask)
    pixels = [
        framing.pixels(view.pictures * view.masks[name][..., None], encoder, part_progress)
        for name, part_progress in zip(names, pixel_progress, strict=True)
    ]
    tokens, unconditioned = tokens_and_unconditioned(encoder, torch.cat(pixels), encoder_progress)
    features = ReferenceFeatures(
        tokens=dict(zip(names, tokens.split(len(parts)), strict=True)),
        strengths=strengths,
        **_shared_fields(view, framing, encoder, unconditioned),
    )
    return features, shown_pictures(torch.stack(pixels, 1).flatten(0, 1), encoder)


def encode_target(
    parts: FaceParts,
    encoder: Encoder,
    strengths: Mapping[str, float],
    framing: Framing,
    colour: Tensor | None = None,
    progress: Progress | None = None,
) -> tuple[TargetFeatures, Tensor]:
    """Encode the face that is changed, with its parts of a strength above 0 painted out.

    `parts`: B pictures with their faces.
    `strengths`: part -> 0..1.
    `colour`: (3,), 0..1, to paint with; None: the colour of each face's skin.
    `progress`: called after each picture, and after each chunk that was encoded.

    Returns the features, and the pictures that were encoded (B, size, size, 3). Raises as `encode_reference` does.
    """
    mask_progress, paint_progress, view_progress, pixel_progress, encoder_progress = stages(progress, 5)
    painted_parts = list(
        _checked_strengths(
            strengths, framing, "this person would stay as it is: set the parts that are to be made anew above 0"
        )
    )
    names = painted_parts if framing.published else with_sides(painted_parts)
    faces = chosen_faces(parts, names)
    if framing.published:
        photograph = released_view(parts, names, framing.stacked)
        mask, boxes = torch.stack(list(photograph.masks.values())).amax(0), photograph.boxes
    else:
        boxes = {name: picture_boxes(parts, name) for name in names}
        masks = [
            [soft_mask(face, name, parts.size, names) for name in painted_parts]
            for face in counted(faces, mask_progress)
        ]
        mask = torch.stack([torch.stack(part_masks).amax(0) for part_masks in masks])
    painted = paint_out(parts.pictures, mask, faces, colour, paint_progress)
    view = framing.view(replace(parts, pictures=painted), names, encoder, "unrotated", view_progress)
    pixels = framing.pixels(view.pictures, encoder, pixel_progress)
    tokens, unconditioned = tokens_and_unconditioned(encoder, pixels, encoder_progress)
    features = TargetFeatures(
        tokens=tokens,
        target=TargetPicture(parts.pictures, painted, view.box_in_picture, boxes, mask),
        **_shared_fields(view, framing, encoder, unconditioned),
    )
    return features, shown_pictures(pixels, encoder)


def _checked_strengths(strengths: Mapping[str, float], framing: Framing, consequence: str) -> dict[str, float]:
    """The strengths above 0, in the order in which parts are fused."""
    known = RELEASED_PARTS if framing.published else FEATURE_PARTS
    for part, strength in strengths.items():
        check_strength(part, strength)
        if strength > 0 and part not in known:
            advice = "; set it to 0, or mode to 'practical'" if part in FEATURE_PARTS else ""
            raise ValueError(f"mode '{framing.mode}' has no part '{part}', only {', '.join(known)}{advice}")
    return positive_strengths({part: strengths[part] for part in known if part in strengths}, consequence)


def _shared_fields(view: View, framing: Framing, encoder: Encoder, unconditioned: Tensor) -> dict[str, Any]:
    """What the features of references and targets have in common."""
    masks = view.masks
    if framing.published:
        size = (encoder.covered_side, encoder.covered_side)
        masks = {name: functional.interpolate(mask[:, None], size, mode="area")[:, 0] for name, mask in masks.items()}
    return {
        "mode": framing.mode, "grid": encoder.grid, "classes": encoder.classes, "encoder": encoder.name,
        "boxes": view.boxes, "masks": masks, "points": view.points, "scheme": view.scheme,
        "unconditioned": unconditioned,
    }  # fmt: skip
