"""A head and a body in one frame: HEAD_LAYOUT, from which the pixels' swap and the model's are made."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...detectors.parts import Face, FaceParts, PartMissing, of_input
from ...detectors.progress import Progress, counted
from ..batches import index_in
from ..masks import part_mask
from ..warp import warp_window
from .complete import calibrated, completed
from .layout import BACKGROUND, BODY, FACE, HAIR, NECK, check_person, drawn, layout_of, mixing_masks
from .neck import ByHand, Neck, fit_head, moved_neck, neck_of, neck_report

# Whose hair and whose hat the new person wears.
HAIRS = ("head's", "body's")
HATS = ("head's", "body's", "none")
# A hat smaller than this share of the head is an error of the parser.
_LEAST_HAT = 0.03
# Parts of the head that lie beyond its picture, as a share, from which the report says so.
_CUT = 0.01
# Least area of visible clothes or neck, in squared eye distances.
_LEAST_BODY = 0.3
# Share of the body's face that something covers, from which the report says so.
_COVERED = 0.05
# Area of hair below the chin, as a share of the visible clothes and neck, from which it hides shoulders.
_LONG_HAIR = 0.12


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
            people_of_head[own] = _person("head", head, own)
        if other not in people_of_body:
            people_of_body[other] = _person("body", body, other)
        pairs.append(_pair(people_of_head[own], people_of_body[other], fit, by_hand, hair, hat, keep_background))
    return HeadLayout(tuple(pairs))


def complete_layout(layout: HeadLayout, progress: Progress | None = None) -> HeadLayout:
    """The same pairs, their layouts completed by rule. Raises ValueError for anything but a head layout."""
    if not isinstance(layout, HeadLayout):
        raise ValueError(f"layout is a {type(layout).__name__}; needed is the record of a head laid on a body")
    return HeadLayout(tuple(_completed(pair) for pair in counted(layout.pairs, progress)))


def _completed(pair: Pair) -> Pair:
    areas = completed(
        pair.head_areas * (1 - pair.over), _without(pair.body_areas, pair.over), pair.head_neck, pair.body_neck
    )
    # The body's own hair over the new face is hair of the new person.
    areas = areas * (1 - pair.over)
    areas[HAIR] += pair.over
    return replace(pair, areas=areas)


@dataclass(frozen=True, eq=False)
class _Person:
    picture: Tensor
    face: Face
    areas: Tensor
    hat: Tensor
    neck: Neck


def _person(name: str, parts: FaceParts, i: int) -> _Person:
    picture, face = parts.pictures[i], parts.face(i)
    with of_input(name, i, len(parts)):
        if face is None:
            raise ValueError(
                f"{name}: picture {i + 1} of {len(parts)} has no face; choose another picture, or lower the detector's "
                "threshold"
            )
        check_person(name, face)
        plain = layout_of(picture, face)
    neck = neck_of(face, plain)
    return _Person(picture, face, calibrated(plain, neck), _hat_of(face, parts.size), neck)


def _hat_of(face: Face, size: tuple[int, int]) -> Tensor:
    """(H, W) 0..1: what a head wears, which is what is left of it without hair, face, ears and spectacles."""
    head, *others = (
        part_mask(face, (part,), size) for part in ("head", "hair", "skin", "ears", "glasses") if face.has(part)
    )
    hat = (head - torch.stack(others).sum(0)).clamp(0, 1)
    return hat if float((hat > 0.5).sum()) > _LEAST_HAT * float((head > 0.5).sum()) else torch.zeros(size)


def _pair(
    head: _Person, body: _Person, fit: str, by_hand: ByHand | None, hair: str, hat: str, keep_background: bool
) -> Pair:
    matrix = fit_head(head.neck, body.neck, fit, by_hand)
    areas = head.areas
    if hair != HAIRS[0]:
        areas = _without(areas, areas[HAIR])
    if hat != HATS[0]:
        areas = _without(areas, head.hat)
    h, w = body.picture.shape[:2]
    stack, inside = warp_window(torch.cat([head.picture, areas.permute(1, 2, 0)], -1), matrix, (0, 0, w, h))
    moved = (stack[..., 3:].clamp(0, 1) * inside[..., None]).permute(2, 0, 1)
    moved = moved / moved.sum(0).clamp_min(1)
    over = torch.zeros(h, w)
    if hair == HAIRS[1]:
        over = torch.maximum(over, body.areas[HAIR])
    if hat == HATS[1]:
        over = torch.maximum(over, body.hat)
    notes = (*neck_report(head.neck, body.neck, matrix), *_remarks(areas, matrix, moved, body))
    pair = Pair(
        stack[..., :3].clamp(0, 1), body.picture, inside, moved, body.areas, moved, over,
        moved_neck(head.neck, matrix), body.neck, keep_background, notes,
    )  # fmt: skip
    return replace(pair, areas=_mixed(pair))


def _mixed(pair: Pair) -> Tensor:
    """The two layouts under their masks, background elsewhere: what the paper completes."""
    areas = torch.zeros_like(pair.body_areas)
    areas[HAIR], areas[FACE] = pair.head_areas[HAIR] * (1 - pair.over), pair.head_areas[FACE] * (1 - pair.over)
    areas[BODY] = pair.body_areas[BODY] * (1 - pair.over - areas[HAIR] - areas[FACE]).clamp(0, 1)
    areas[HAIR] += pair.over
    areas[BACKGROUND] = (1 - areas[1:].sum(0)).clamp(0, 1)
    return areas


def _without(areas: Tensor, area: Tensor) -> Tensor:
    """A layout (5, H, W) whose pixels under `area` (H, W) 0..1 are background."""
    rest = areas * (1 - area)
    rest[BACKGROUND] += area
    return rest


def _remarks(areas: Tensor, matrix: Tensor, moved: Tensor, body: _Person) -> list[str]:
    """What is cut off, and what is hidden."""
    lines = []
    scale = float(torch.linalg.det(matrix[:, :2]).abs())
    whole, arrived = float(areas[[HAIR, FACE]].sum()) * scale, float(moved[[HAIR, FACE]].sum())
    if arrived < (1 - 5 * _CUT) * whole:
        lines.append(
            f"{100 * (1 - arrived / whole):.0f} % of the head lies outside the body's picture; use a wider picture of "
            "the body, or shift or shrink the head"
        )
    own = areas[HAIR] + areas[FACE]
    border = torch.cat([own[0], own[:, 0], own[:, -1]])
    if float((border > 0.5).sum()) > _CUT * sum(own.shape):
        lines.append("the head is cut off by the border of its own picture; use a wider one")
    if body.face.covered.get("skin", {}).get("something in front", 0) > _COVERED:
        lines.append("something covers the body's face, a hand or a microphone; what reaches beyond it stays")
    clothes = float((body.areas[BODY] + body.areas[NECK]).sum()) / body.neck.unit**2
    if clothes < _LEAST_BODY:
        raise PartMissing(
            "body: neither neck nor shoulders are visible below the face; use a picture that shows the person down to "
            "the shoulders"
        )
    below = torch.arange(body.areas.shape[1])[:, None] > float(body.neck.chin[1])
    hanging = float((body.areas[HAIR] * below).sum()) / body.neck.unit**2
    if hanging > _LONG_HAIR * clothes:
        lines.append(
            "long hair lies over the body's shoulders; the clothes under it are a guess, which a model can make anew"
        )
    if clothes < 3 * _LEAST_BODY:
        lines.append("little of the body is visible beside hair and face; what is under them is a guess")
    return lines
