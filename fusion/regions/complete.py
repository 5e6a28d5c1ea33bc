"""The layout of the new person: what lies where the body's old head was, by rule.

The paper trains a network for it (its layout generator); this rule needs none: the line of the shoulders runs on
under the hair, straight between what is visible of it and symmetric about the neck where one side is covered; the neck
is a band from under the jaw to the collar; everything else is background. Semantic calibration is the paper's name,
its formula is not published; ours keeps of hair and face what hangs together with the face, and no body above the chin.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from ..dilation import dilate_area
from ..outline import smoothstep
from .layout import BACKGROUND, BODY, FACE, HAIR, NECK
from .neck import USUAL_WIDTH, Neck

# Longer side of the grid on which shapes are completed: an outline of a shoulder has no finer detail.
_GRID = 256
# How steeply a shoulder falls where nothing of it is visible.
_SLOPE = 0.45
# How far above its chin a head's neck reaches under the jaw, in eye distances.
_UNDER_JAW = 0.3
# How fast a neck widens in its lower half, in eye distances per squared length of it.
_FLARE = 2.2
# How far a neck stays within the jaw above it, in eye distances.
_INSET = 0.08
# How much lower than at its sides the neckline is in the middle, and the length over which neck turns into clothes, in
# eye distances.
_NECKLINE, _SOFT_NECKLINE = 0.45, 0.06
# How far from a new jaw the body's own neck stays, in eye distances.
_BESIDE_JAW = 0.2
# How far below the chin the neck ends where no collar is visible, in eye distances.
_USUAL_LENGTH = 0.6
# How far below the chin shoulders begin at most, in eye distances.
_MOST_LENGTH = 0.8
# Half the columns of the grid among which a shoulder's row is the median.
_STRAND = 4
# Share of a class from which a cell belongs to it.
_HALF = 0.5


def calibrated(areas: Tensor, neck: Neck) -> Tensor:
    """A layout (5, H, W) without islands and classes in impossible places; what they lose is background."""
    size = areas.shape[1:]
    small = _shrunk(areas)
    scale = small.shape[2] / size[1]
    head = small[HAIR] + small[FACE] > 0.3
    seed = torch.zeros_like(head)
    spot = ((neck.eyes + neck.chin) / 2 * scale).long()
    reach = max(1, int(0.5 * neck.unit * scale))
    y, x = (int(spot[i].clamp(0, n - 1)) for i, n in ((1, small.shape[1]), (0, small.shape[2])))
    seed[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = True
    keep_head = grown_within(seed & head, head)
    # A body begins below the chin, its islands included; a shoulder may be higher beside a lowered head.
    rows = torch.arange(small.shape[1])[:, None].expand_as(head)
    above = rows < float(neck.eyes[1]) * scale
    body = small[BODY] + small[NECK] > 0.3
    opened = functional.max_pool2d(-functional.max_pool2d(-body.float()[None, None], 5, 1, 2), 5, 1, 2)[0, 0] > 0
    keep = torch.stack([keep_head, grown_within(opened, body) & ~above]).float()
    keep = functional.interpolate(keep[None], size, mode="bilinear", align_corners=False)[0]
    # Where the whole head was kept, nothing is taken from its soft edge.
    keep = torch.where(keep > 0.25, torch.ones(()), keep * 0)
    result = areas.clone()
    result[[HAIR, FACE]] *= keep[0]
    result[[NECK, BODY]] *= keep[1]
    result[BACKGROUND] = (1 - result[1:].sum(0)).clamp(0, 1)
    return result


def grown_within(seed: Tensor, area: Tensor) -> Tensor:
    """The cells (h, w) of `area` that hang together with `seed`, diagonals included."""
    grown = seed.float()[None, None]
    area = area.float()[None, None]
    for _ in range(sum(area.shape[-2:])):
        wider = functional.max_pool2d(grown, 5, 1, 2) * area
        if torch.equal(wider, grown):
            break
        grown = wider
    return grown[0, 0] > 0


def completed(head: Tensor, body: Tensor, head_neck: Neck, body_neck: Neck) -> Tensor:
    """The new person's layout.

    `head`: (5, H, W), the head's layout where it lies on the body's picture; 0 beyond the border of its picture.
    `body`: (5, H, W), the layout of the body's picture.
    `head_neck`, `body_neck`: both in pixels of the body's picture.

    Returns (5, H, W) float32, 1 in sum. Visible classes of the body's picture stay as they are.
    """
    size = body.shape[1:]
    hidden = (body[HAIR] + body[FACE]).clamp(0, 1)
    small = _shrunk(body)
    shoulders, line = _shoulders(small, body_neck, small.shape[2] / size[1])
    wide = functional.interpolate(shoulders[None, None], size, mode="bilinear", align_corners=False)[0, 0]
    # A cell is a few pixels: its edge is drawn again at theirs.
    filled_body = smoothstep((wide - 0.3) / 0.4)
    # Nothing of the body's background becomes neck, except where the head's own neck lies.
    room = (hidden + body[NECK] + body[BODY] + head[NECK]).clamp(0, 1)
    band, below = (part * room for part in neck_band(head[FACE], head_neck, body_neck))
    new_head = (head[HAIR] + head[FACE]).clamp(0, 1)
    band = torch.maximum(band, _kept_neck(body, new_head, head_neck, body_neck))
    result = torch.zeros_like(body)
    visible_body = body[BODY]
    body_area = (visible_body + hidden * torch.maximum(filled_body, below)).clamp(0, 1)
    neck_area = band * (1 - body_area)
    result[BODY], result[NECK] = body_area, neck_area
    result = result * (1 - new_head)
    result[HAIR], result[FACE] = head[HAIR], head[FACE]
    result[BACKGROUND] = (1 - result.sum(0)).clamp(0, 1)
    return result


def _kept_neck(body: Tensor, new_head: Tensor, head: Neck, other: Neck) -> Tensor:
    """(H, W) 0..1: the part of the body's visible neck that the new person keeps, and what joins it to the jaw.

    That is all of it below the new chin, and beside the jaw what lies close to the `new_head` (H, W); farther away it
    would stand beside a narrower face. What the old face hid between the two is neck.

    `body`: (5, H, W), the layout of the body's picture. `head`, `other`: the necks of head and body.
    """
    along, _ = _coordinates(new_head.shape, head.chin, other.down)
    reach, solid = max(1, round(_BESIDE_JAW * other.unit)), new_head > _HALF
    kept = body[NECK] * ((along > 0) | dilate_area(solid, reach))
    both = solid | (kept > _HALF)
    closed = ~dilate_area(~dilate_area(both, reach), reach)
    between = closed & ~both & (along > -_UNDER_JAW * other.unit) & (body[HAIR] + body[FACE] > _HALF)
    return torch.maximum(kept, between.float())


def neck_band(face: Tensor, head: Neck, body: Neck) -> tuple[Tensor, Tensor]:
    """(H, W) 0..1 each: the neck from under the head's jaw to a round neckline, and what lies below that.

    Under the jaw it is as wide as the head's neck, but no wider than the `face` (H, W) above it; at the collar it is as
    wide as the body's, on straight lines between the two. A width that is not known is the other's, or the usual one.
    """
    across = torch.stack([body.down[1], -body.down[0]])
    top = head.chin - _UNDER_JAW * body.unit * body.down
    length = _UNDER_JAW * body.unit + max(
        float((body.chin - head.chin) @ body.down) + max(body.base, _USUAL_LENGTH * body.unit), 0.3 * body.unit
    )
    own, other = width_of(head, body) / 2, width_of(body, head) / 2
    middle = float((head.middle - head.chin) @ across)
    jaw = _extent(face, top, across, 1.5 * body.unit)
    inset = _INSET * body.unit
    left, right = max(middle - own, jaw[0] + inset), min(middle + own, jaw[1] - inset)
    goal = float((body.middle - top) @ across)
    along, aside = _coordinates(face.shape, top, body.down)
    way = smoothstep(along / length)
    # The trapezius widens a neck towards the shoulders.
    flare = _FLARE * body.unit * (along / length - 0.5).clamp(min=0).square()
    low = left + (goal - other - left) * way - flare
    high = right + (goal + other - right) * way + flare
    soft = torch.minimum(aside - low, high - aside)
    # A neckline is round: lowest in the middle.
    beside = ((2 * aside - low - high) / (high - low).clamp_min(1)).clamp(-1, 1)
    neckline = length + _NECKLINE * body.unit * (1 - beside.square())
    inside = (soft + 0.5).clamp(0, 1) * (along > 0)
    clothes = smoothstep((along - neckline) / (_SOFT_NECKLINE * body.unit) + 0.5)
    return inside * (1 - clothes), inside * clothes


def _coordinates(size: tuple[int, int] | torch.Size, origin: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
    """(H, W) each: how far the pixels lie from `origin` (2,) along the unit vector `down` (2,), and across."""
    ys = torch.arange(size[0])[:, None] + 0.5 - origin[1]
    xs = torch.arange(size[1])[None] + 0.5 - origin[0]
    return xs * down[0] + ys * down[1], xs * down[1] - ys * down[0]


def _extent(area: Tensor, middle: Tensor, across: Tensor, reach: float) -> tuple[float, float]:
    """From where to where `area` (H, W) reaches on a line through `middle`, in pixels from there."""
    steps = torch.linspace(-reach, reach, 97)
    spots = (middle + steps[:, None] * across).round().long()
    xs, ys = spots[:, 0].clamp(0, area.shape[1] - 1), spots[:, 1].clamp(0, area.shape[0] - 1)
    inside = torch.nonzero(area[ys, xs] > _HALF).flatten()
    return (float(steps[inside[0]]), float(steps[inside[-1]])) if len(inside) else (-reach, reach)


def width_of(neck: Neck, other: Neck) -> float:
    return neck.width or (other.width * neck.unit / other.unit if other.width else USUAL_WIDTH * neck.unit)


def _shrunk(areas: Tensor) -> Tensor:
    height, width = areas.shape[1:]
    factor = min(1.0, _GRID / max(height, width))
    size = (max(2, round(height * factor)), max(2, round(width * factor)))
    return functional.adaptive_avg_pool2d(areas, size)


def _shoulders(small: Tensor, neck: Neck, scale: float) -> tuple[Tensor, Tensor]:
    """The body's area under hair (h, w) 0..1 on a small grid, and for each column the row of the shoulder."""
    _, h, w = small.shape
    body, hidden = small[BODY] > _HALF, small[HAIR] + small[FACE] > 0.3
    rows = torch.arange(h)
    has = body.any(0)
    top = torch.where(has, body.int().argmax(0), torch.full((w,), h))
    above = small[:, (top - 2).clamp(min=0).clamp(max=h - 1), torch.arange(w)]
    visible = has & ((above[BACKGROUND] > _HALF) | (top <= 1))
    # A cell or two of cloth between strands of hair is not a shoulder.
    visible = -functional.max_pool1d(-visible.float()[None], 3, 1, 1)[0] > 0
    has = -functional.max_pool1d(-has.float()[None], 5, 1, 2)[0] > 0
    line = _line(visible, top.float(), neck, scale, w, h)
    under_line = rows[:, None] >= line[None]
    # Hair that lies on the clothes: body above it in its column.
    on_clothes = has[None] & (rows[:, None] > top[None])
    shoulders = (hidden & (under_line | on_clothes)).float()
    return functional.avg_pool2d(shoulders[None], 5, 1, 2, count_include_pad=False)[0], line


def _line(visible: Tensor, top: Tensor, neck: Neck, scale: float, w: int, h: int) -> Tensor:
    """(w,): the row of the shoulder in each column."""
    centre = float(neck.middle[0]) * scale
    half = (neck.width or USUAL_WIDTH * neck.unit) * scale / 2
    length = min(max(neck.base, _USUAL_LENGTH * neck.unit), _MOST_LENGTH * neck.unit)
    base = float(neck.chin[1]) * scale + length * scale * float(neck.down[1])
    xs = torch.arange(w).float()
    sides: list[dict[int, float]] = []
    for sign in (-1, 1):
        distance = sign * (xs - centre)
        seen = visible & (distance > half)
        sides.append({round(float(d)): float(t) for d, t in zip(distance[seen], top[seen], strict=True)})
    # Between the shoulders lies the neckline.
    deep = _NECKLINE * neck.unit * scale * (1 - ((xs - centre) / max(half, 1e-3)).square()).clamp_min(0)
    result = base + deep
    for sign, own, other in ((-1, sides[0], sides[1]), (1, sides[1], sides[0])):
        distance = sign * (xs - centre)
        result = torch.where(distance > half, _side_line(distance, own, other, half, base), result)
    return result.clamp(0, h)


def _side_line(
    distance: Tensor, own: Mapping[int, float], other: Mapping[int, float], half: float, base: float
) -> Tensor:
    """(w,): the row of the shoulder on one side of the neck, at `distance` (w,) columns from its middle.

    `own`, `other`: column -> row where a shoulder is visible on this and on the other side.
    `half`: half the width of the neck. `base`: the row where it ends.
    """
    points = {**other, **own}
    if own and min(own) <= half * 2.5:
        # The other side says nothing nearer to the neck than what is visible on this one.
        points = {d: row for d, row in points.items() if d in own or d > max(own)}
    points = {d: row for d, row in points.items() if d > half}
    points[round(half)] = min([base, *points.values()])
    known_x = torch.tensor(sorted(points)).float()
    known_y = torch.tensor([points[d] for d in sorted(points)]).float()
    if len(points) == 1:
        return known_y[0] + _SLOPE * (distance - known_x[0])
    at = torch.searchsorted(known_x, distance).clamp(1, len(points) - 1)
    x0, x1, y0, y1 = known_x[at - 1], known_x[at], known_y[at - 1], known_y[at]
    rows = torch.lerp(y0, y1, ((distance - x0) / (x1 - x0)).clamp(0, 1))
    rows = rows + _SLOPE * (distance - known_x[-1]).clamp(min=0)
    # One column that stands out is a strand of hair and no shoulder.
    rows = functional.pad(rows[None], (_STRAND, _STRAND), mode="replicate")[0]
    return rows.unfold(0, 2 * _STRAND + 1, 1).median(1).values
