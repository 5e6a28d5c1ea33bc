"""A head and a body in one frame: HEAD_LAYOUT, from which the pixels' swap and the model's are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ...detectors.parts import FaceParts
from ...detectors.progress import Progress, counted
from ..batches import index_in
from ..similarity import scale_of
from ..warp import warp_window
from .complete import completed
from .layout import BACKGROUND, BODY, FACE, HAIR, NECK, drawn, mixing_masks
from .neck import ByHand, Neck, fit_head, moved_neck, neck_report
from .pair_report import remarks
from .parsed_person import ParsedPerson, hat_of, parsed_person, without

# Visible classes (5, H, W), hidden share (H, W) and the body's neck -> the completed layout (5, H, W).
Generator = Callable[[Tensor, Tensor, Neck], Tensor]
# Whose hair and whose hat the new person wears.
HAIRS = ("head's", "body's")
HATS = ("head's", "body's", "none")


@dataclass(frozen=True, eq=False)
class Pair:
    """A head and a body in one frame, that of the body's picture.

    `head`, `body`: (H, W, 3) float32 0..1. `inside`: (H, W), 1 where the head's picture reaches.
    `head_areas`, `body_areas`: layouts (5, H, W) of the head (0 beyond its picture) and of the body.
    `areas`: (5, H, W), the new person's layout; before completion what m_H and m_B keep, background elsewhere.
    `over`: (H, W) 0..1, the body's own hair or hat that stays over the new face.
    `head_neck`, `body_neck`: in pixels of the body's picture. `keep_background`: whether the body's ground stays.
    `notes`: sentences about what does not suit.
    """

    head: Tensor
    body: Tensor
    inside: Tensor
    head_areas: Tensor
    body_areas: Tensor
    areas: Tensor
    over: Tensor
    head_neck: Neck
    body_neck: Neck
    keep_background: bool
    notes: tuple[str, ...]

    def masks(self) -> tuple[Tensor, Tensor, Tensor]:
        """m_H, m_B and the transition, (H, W) float32 0..1 each, 1 in sum."""
        visible = self.body_areas.clone()
        visible[BODY] = (visible[BODY] + self.over).clamp(0, 1)
        head = self.head_areas * (1 - self.over)
        return mixing_masks(head, visible, self.keep_background)

    def coarse(self) -> Tensor:
        """(H, W, 3): head and body where they stay, grey between them."""
        head, body, rest = (mask[..., None] for mask in self.masks())
        return self.head * head + self.body * body + 0.5 * rest


@dataclass(frozen=True, eq=False)
class HeadLayout:
    """The value on the HEAD_LAYOUT wire: one `Pair` for each picture, all of one size."""

    pairs: tuple[Pair, ...]

    def masks(self) -> tuple[Tensor, Tensor, Tensor]:
        """m_H, m_B and the transition, (B, H, W) each."""
        head, body, rest = zip(*(pair.masks() for pair in self.pairs), strict=True)
        return torch.stack(head), torch.stack(body), torch.stack(rest)

    def drawn(self, palette: tuple[tuple[int, int, int], ...]) -> Tensor:
        """(B, H, W, 3) float32 0..1."""
        return torch.stack([drawn(pair.areas, palette) for pair in self.pairs])

    def report(self) -> str:
        """What does not suit, one line for each picture; says so where everything does."""
        several = len(self.pairs) > 1
        lines = [
            (f"picture {i + 1}: " if several else "") + ("; ".join(pair.notes) or "head and body suit each other")
            for i, pair in enumerate(self.pairs)
        ]
        return "\n".join(lines)


def make_layout(
    head: FaceParts, body: FaceParts, *, fit: str = "neck", by_hand: ByHand | None = None, hair: str = HAIRS[0],
    hat: str = HATS[0], keep_background: bool = True, progress: Progress | None = None,
) -> HeadLayout:  # fmt: skip
    """Head and body of each pair in the frame of the body's picture; one of either serves all of the other.

    `head`, `body`: pictures with their chosen faces, parsed.
    `fit`, `by_hand`: as in `neck.fit_head`. `hair`: of HAIRS. `hat`: of HATS.
    `keep_background`: whether the body's background counts as kept; the paper makes it anew.
    `progress`: called after each pair.

    Raises ValueError for counts that do not match, another choice, a picture without a face and a body of which
    nothing is visible; PartMissing for a face that has not been parsed.
    """
    if hair not in HAIRS or hat not in HATS:
        raise ValueError(f"hair is '{hair}' and hat '{hat}'; choose of {', '.join(HAIRS)} and of {', '.join(HATS)}")
    count = max(len(head), len(body))
    if {len(head), len(body)} - {1, count}:
        raise ValueError(
            f"head has {len(head)} pictures and body {len(body)}; use one picture for all of the other, or equally many"
        )
    people_of_head, people_of_body = ({} for _ in range(2))
    pairs = []
    for i in counted(range(count), progress):
        own, other = index_in(head, i), index_in(body, i)
        if own not in people_of_head:
            people_of_head[own] = parsed_person("head", head, own)
        if other not in people_of_body:
            people_of_body[other] = parsed_person("body", body, other)
        pairs.append(_pair(people_of_head[own], people_of_body[other], fit, by_hand, hair, hat, keep_background))
    return HeadLayout(tuple(pairs))


def complete_layout(
    layout: HeadLayout, progress: Progress | None = None, generator: Generator | None = None
) -> HeadLayout:
    """The same pairs, their layouts completed by the `generator`, or by rule without one.

    Raises ValueError for anything but a head layout.
    """
    if not isinstance(layout, HeadLayout):
        raise ValueError(f"layout is a {type(layout).__name__}; needed is the record of a head laid on a body")
    return HeadLayout(tuple(_completed(pair, generator) for pair in counted(layout.pairs, progress)))


def _completed(pair: Pair, generator: Generator | None) -> Pair:
    head, body = pair.head_areas * (1 - pair.over), without(pair.body_areas, pair.over)
    if generator is None:
        areas = completed(head, body, pair.head_neck, pair.body_neck)
    else:
        areas = generator(*_visible(head, body), pair.body_neck)
    # The body's own hair over the new face is hair of the new person.
    areas = areas * (1 - pair.over)
    areas[HAIR] += pair.over
    return replace(pair, areas=areas)


def _visible(head: Tensor, body: Tensor) -> tuple[Tensor, Tensor]:
    """The classes (5, H, W) that are visible once the head lies on the body, and (H, W) what is hidden.

    Hidden is what the old head covered, and both necks: the paper makes the neck anew.
    """
    known = body * (1 - head[HAIR] - head[FACE]).clamp(0, 1)
    known[[HAIR, FACE]] = head[[HAIR, FACE]]
    known[NECK] = 0
    return known, (1 - known.sum(0)).clamp(0, 1)


def _pair(
    head: ParsedPerson, body: ParsedPerson, fit: str, by_hand: ByHand | None, hair: str, hat: str, keep_background: bool
) -> Pair:
    matrix = fit_head(head.neck, body.neck, fit, by_hand)
    areas = head.areas
    if hair != HAIRS[0]:
        areas = without(areas, areas[HAIR])
    if hat != HATS[0]:
        areas = without(areas, hat_of(head.face, areas.shape[1:]))
    h, w = body.picture.shape[:2]
    picture, inside = warp_window(head.picture, matrix, (0, 0, w, h))
    moved = _moved(areas, matrix, inside)
    over = torch.zeros(h, w)
    if hair == HAIRS[1]:
        over = torch.maximum(over, body.areas[HAIR])
    if hat == HATS[1]:
        over = torch.maximum(over, hat_of(body.face, over.shape))
    notes = (*neck_report(head.neck, body.neck, matrix), *remarks(head.face, areas, matrix, moved, over, body))
    pair = Pair(
        picture.clamp(0, 1), body.picture, inside, moved, body.areas, moved, over,
        moved_neck(head.neck, matrix), body.neck, keep_background, notes,
    )  # fmt: skip
    return replace(pair, areas=_mixed(pair))


def _moved(areas: Tensor, matrix: Tensor, inside: Tensor) -> Tensor:
    """A layout (5, H, W) in another frame, 0 where it does not reach.

    `matrix`: (2, 3), its pixels -> those of the frame. `inside`: (h, w), of the frame, 1 where it reaches.
    """
    factor = min(1.0, scale_of(matrix))
    (height, width), size = areas.shape[1:], inside.shape
    if factor < 0.7:
        smaller = (max(1, round(height * factor)), max(1, round(width * factor)))
        areas = functional.interpolate(areas[None], smaller, mode="area")[0]
    # Both in units of half a picture, as the grid is.
    halves = [
        torch.tensor([[b / 2, 0, b / 2], [0, a / 2, a / 2], [0, 0, 1]]).double() for a, b in ((height, width), size)
    ]
    whole = torch.cat([matrix.double(), torch.tensor([[0.0, 0.0, 1.0]]).double()])
    inverse = torch.linalg.inv(halves[0]) @ torch.linalg.inv(whole) @ halves[1]
    grid = functional.affine_grid(inverse[None, :2].float(), [1, 1, *size], align_corners=False)
    moved = functional.grid_sample(areas[None, HAIR:], grid, padding_mode="border", align_corners=False)[0].mul_(inside)
    # The classes are 1 in sum.
    return torch.cat([(inside - moved.sum(0)).clamp_(min=0)[None], moved])


def _mixed(pair: Pair) -> Tensor:
    """The two layouts under their masks, background elsewhere: what the paper completes."""
    areas = torch.zeros_like(pair.body_areas)
    areas[HAIR], areas[FACE] = pair.head_areas[HAIR] * (1 - pair.over), pair.head_areas[FACE] * (1 - pair.over)
    areas[BODY] = pair.body_areas[BODY] * (1 - pair.over - areas[HAIR] - areas[FACE]).clamp(0, 1)
    areas[HAIR] += pair.over
    areas[BACKGROUND] = (1 - areas[1:].sum(0)).clamp(0, 1)
    return areas
