"""The neck that joins a new head to a body.

Ours: on each side the outline of the head, jaw and neck, goes over into the outline of the body's neck, which it
reaches where the collar begins. What of the old neck stands out beyond that line above the collar is not kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..outline import smoothstep
from .layout import BODY, FACE, HAIR, NECK
from .neck import USUAL_WIDTH, Neck

# The window in which outlines are read, in eye distances: above and below the new chin, and to each side.
_ABOVE, _BELOW, _ASIDE = 1.2, 1.0, 2.0
# Rows, and columns on one side, of that window.
_ROWS, _COLUMNS = 89, 81
# Columns by which small gaps are closed, and how far beyond an edge its neighbour is looked at.
_GAP = 2
# Rows over which the line is smoothed.
_SMOOTH = 5
# Length over which one outline goes over into the other, in eye distances.
_LENGTH = 0.8
# Highest and lowest row at which the body's outline is reached, in eye distances below the new chin.
_HIGHEST, _LOWEST = -0.4, 0.5
# How far a neck is kept beyond the line, in eye distances: outlines are read in steps of that size.
_TOLERANCE = 0.04
# How much lower than at its sides the neckline is in the middle, and the length over which neck turns into clothes, in
# eye distances.
_NECKLINE, _SOFT_NECKLINE = 0.45, 0.06
# How far below the chin the neck ends where no collar is visible, in eye distances.
USUAL_LENGTH = 0.6


@dataclass(frozen=True, eq=False)
class _Side:
    """One side of a person, by rows of the window; bool but for `edge`.

    `edge`: (rows,), where face and neck end, in eye distances from the middle line. `neck`: whether neck is outermost.
    `clothes`, `hair`: whether these lie beyond it.
    """

    edge: Tensor
    neck: Tensor
    clothes: Tensor
    hair: Tensor


def joined_neck(head: Tensor, body: Tensor, head_neck: Neck, body_neck: Neck) -> tuple[Tensor, Tensor]:
    """(H, W) 0..1 each: the neck of the new person, and what lies below its neckline.

    `head`, `body`: layouts (5, H, W) in one frame.
    `head_neck`, `body_neck`: both in pixels of that frame.
    """
    unit, down = body_neck.unit, body_neck.down
    across = torch.stack([down[1], -down[0]])
    middle = float(((head_neck.middle + body_neck.middle) / 2 - head_neck.chin) @ across)
    along, aside = coordinates(head.shape[1:], head_neck.chin + middle * across, down)
    half = width_of(body_neck, head_neck) / 2
    row = ((along / unit + _ABOVE) / (_ABOVE + _BELOW) * (_ROWS - 1)).clamp(0, _ROWS - 1)
    room, collared = torch.full_like(along, torch.inf), torch.zeros_like(along)
    for sign in (-1, 1):
        own, old = (_side(areas, head_neck.chin + middle * across, sign * across, down, unit) for areas in (head, body))
        line, collar = _line(own, old, half / unit)
        beside = sign * aside > 0
        room = torch.where(beside, _at(line * unit, row) - sign * aside, room)
        collared = torch.where(beside, (along > collar * unit).float(), collared)
    length = max(float((body_neck.chin - head_neck.chin) @ down) + max(body_neck.base, USUAL_LENGTH * unit), 0.3 * unit)
    neckline = length + _NECKLINE * unit * (1 - (aside / half).clamp(-1, 1).square())
    clothes = smoothstep((along - neckline) / (_SOFT_NECKLINE * unit) + 0.5)
    inside = (room - _TOLERANCE * unit + 0.5).clamp(0, 1)
    within = (room + _TOLERANCE * unit + 0.5).clamp(0, 1)
    kept = torch.maximum(body[NECK] * torch.maximum(within, collared), head[NECK] * within)
    below_top = (along > -_ABOVE * unit).float()
    return torch.maximum(inside * (1 - clothes), kept) * below_top, inside * clothes * below_top


def coordinates(size: tuple[int, int] | torch.Size, origin: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
    """(H, W) each: how far the pixels lie from `origin` (2,) along the unit vector `down` (2,), and across."""
    ys = torch.arange(size[0])[:, None] + 0.5 - origin[1]
    xs = torch.arange(size[1])[None] + 0.5 - origin[0]
    return xs * down[0] + ys * down[1], xs * down[1] - ys * down[0]


def width_of(neck: Neck, other: Neck) -> float:
    """Pixels; a width that is not known is the other's, or the usual one."""
    return neck.width or (other.width * neck.unit / other.unit if other.width else USUAL_WIDTH * neck.unit)


def _side(areas: Tensor, origin: Tensor, outward: Tensor, down: Tensor, unit: float) -> _Side:
    """What lies on one side of the line through `origin` (2,) along `down`, in layouts (5, H, W)."""
    xs, ys = torch.linspace(0, _ASIDE, _COLUMNS) * unit, torch.linspace(-_ABOVE, _BELOW, _ROWS) * unit
    spots = origin + xs[None, :, None] * outward + ys[:, None, None] * down
    size = torch.tensor([areas.shape[2], areas.shape[1]])
    classes = functional.grid_sample(areas[None], (spots / size * 2 - 1)[None], align_corners=False)[0]
    skin = classes[FACE] + classes[NECK] > 0.5
    closed = functional.max_pool1d(functional.pad(skin.float()[None], (0, _GAP)), _GAP + 1, 1)[0] > 0
    edge = closed.int().cumprod(1).sum(1)
    last, next_ = (edge - 1).clamp(min=0)[:, None], (edge + _GAP).clamp(max=_COLUMNS - 1)[:, None]
    return _Side(
        edge * _ASIDE / (_COLUMNS - 1),
        classes[NECK].gather(1, last)[:, 0] > classes[FACE].gather(1, last)[:, 0],
        classes[BODY].gather(1, next_)[:, 0] > 0.5,
        classes[HAIR].gather(1, next_)[:, 0] > 0.4,
    )


def _line(own: _Side, old: _Side, half: float) -> tuple[Tensor, float]:
    """(rows,): where the neck ends on one side, and the row from which that is the body's own outline; eye distances.

    `half`: half the width of the body's neck.
    """
    steps = torch.linspace(-_ABOVE, _BELOW, _ROWS)
    begins = torch.nonzero(old.clothes[1:] & old.clothes[:-1] & (steps[1:] > _HIGHEST)).flatten()
    collar = min(float(steps[begins[0]]), _LOWEST) if len(begins) else _LOWEST
    # Where hair hides the outline of the body's neck it is half a neck away; beside a jaw it goes on as below.
    goal = torch.where(old.hair, old.edge.clamp(min=half), old.edge)
    goal = _from_next(goal, old.neck & (goal > 0), half)
    start = _from_next(own.edge.flip(0), (~own.clothes & (own.edge > 0)).flip(0), half).flip(0)
    # A neck that widens towards its own collar does so no more than the body's.
    start = torch.minimum(start, torch.maximum(start.cummin(0).values, goal))
    line = torch.lerp(start, goal, smoothstep((steps - collar) / _LENGTH + 1))
    line = functional.avg_pool1d(line[None], _SMOOTH, 1, _SMOOTH // 2, count_include_pad=False)[0]
    return line, collar


def _from_next(values: Tensor, valid: Tensor, default: float) -> Tensor:
    """(n,): each value that is not valid replaced by the next valid one, or by the last, or by the default."""
    at = torch.nonzero(valid).flatten()
    if len(at) == 0:
        return torch.full_like(values, default)
    following = torch.searchsorted(at, torch.arange(len(values))).clamp(max=len(at) - 1)
    return values[at[following]]


def _at(line: Tensor, row: Tensor) -> Tensor:
    """The values of `line` (rows,) at the fractional `row` (H, W)."""
    low = row.floor().long().clamp(max=len(line) - 2)
    return torch.lerp(line[low], line[low + 1], row - low)
