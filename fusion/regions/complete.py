"""The layout of the new person: what lies where the body's old head was, by rule.

The paper trains a network for it (its layout generator); this rule needs none: the line of the shoulders runs on
under the hair, straight between what is visible of it and symmetric about the neck where one side is covered; the neck
runs from the jaw to the collar (`joint`); everything else is background. Semantic calibration is the paper's name,
its formula is not published; ours keeps of hair and face what hangs together with the face, and no body above the chin.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..dilation import dilate_area
from ..outline import smoothstep
from .joint import USUAL_LENGTH, joined_neck
from .layout import BACKGROUND, BODY, FACE, HAIR, NECK
from .neck import USUAL_WIDTH, Neck

# Longer side of the grid on which shapes are completed: an outline of a shoulder has no finer detail.
_GRID = 256
# The same of the grid on which is looked at what hangs together.
_CONNECTED = 128
# How steeply a shoulder falls where nothing of it is visible.
_SLOPE = 0.45
# How far below the chin shoulders begin at most, in eye distances.
_MOST_LENGTH = 0.8
# How far below the chin shoulders begin at least, in eye distances, and how steeply they fall at least.
_LEAST_LENGTH, _LEAST_SLOPE = 0.15, 0.3
# Share of a class from which a cell belongs to it.
_HALF = 0.5


def calibrated(areas: Tensor, neck: Neck) -> Tensor:
    """A layout (5, H, W) without islands and classes in impossible places; what they lose is background."""
    size = areas.shape[1:]
    small = _shrunk(areas, _CONNECTED)
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
    keep = torch.stack([keep_head, grown_within(_opened(body), body) & ~above]).float()
    if bool(keep[0][head].all()) and bool(keep[1][body].all()):
        return areas
    keep = functional.interpolate(keep[None], size, mode="bilinear", align_corners=False)[0]
    # Where the whole head was kept, nothing is taken from its soft edge.
    keep = torch.where(keep > 0.25, torch.ones(()), keep * 0)
    result = areas.clone()
    result[[HAIR, FACE]] *= keep[0]
    result[[NECK, BODY]] *= keep[1]
    result[BACKGROUND] = (1 - result[1:].sum(0)).clamp(0, 1)
    return result


def _opened(area: Tensor) -> Tensor:
    """An area (h, w) bool without what is thinner than 3 cells."""
    return functional.max_pool2d(-functional.max_pool2d(-area.float()[None, None], 3, 1, 1), 3, 1, 1)[0, 0] > 0


def grown_within(seed: Tensor, area: Tensor) -> Tensor:
    """The cells (h, w) of `area` that hang together with `seed`, gaps of a cell or two included."""
    wide, grown = dilate_area(area, 1), seed & area
    while True:
        wider = _whole_runs(_whole_runs(grown, wide).T, wide.T).T
        if torch.equal(wider, grown):
            return grown & area
        grown = wider


def _whole_runs(cells: Tensor, area: Tensor) -> Tensor:
    """(h, w) bool: the runs of `area` along its rows that hold one of the `cells`."""
    # Each run between gaps, and between rows, has a number of its own.
    runs = functional.pad(~area, (0, 1), value=True).flatten().cumsum(0).view(area.shape[0], -1)[:, :-1]
    held = torch.bincount(runs[cells & area], minlength=int(runs.max()) + 1) > 0
    return held[runs] & area


def completed(head: Tensor, body: Tensor, head_neck: Neck, body_neck: Neck) -> Tensor:
    """The new person's layout.

    `head`: (5, H, W), the head's layout where it lies on the body's picture; 0 beyond the border of its picture.
    `body`: (5, H, W), the layout of the body's picture.
    `head_neck`, `body_neck`: both in pixels of the body's picture.

    Returns (5, H, W) float32, 1 in sum. Visible classes of the body's picture stay as they are.
    """
    size = body.shape[1:]
    small = _shrunk(body, _GRID)
    shoulders = _shoulders(small, body_neck, small.shape[2] / size[1])
    wide = functional.interpolate(shoulders[None, None], size, mode="bilinear", align_corners=False)[0, 0]
    # A cell is a few pixels: its edge is drawn again at theirs.
    filled_body = smoothstep((wide - 0.3) / 0.4)
    neck, below = joined_neck(head, body, head_neck, body_neck)
    new_head = (head[HAIR] + head[FACE]).clamp(0, 1)
    result = torch.zeros_like(body)
    visible_body = body[BODY]
    neck = torch.minimum(neck, 1 - visible_body)
    # Under hair, at its soft edge too, and where the old neck does not stay, shoulders go on and clothes close.
    ground = smoothstep((body[BACKGROUND] - _HALF) / 0.4)
    open_area = (1 - visible_body - torch.minimum(ground, body[BACKGROUND])).clamp(0, 1) * (1 - neck)
    result[BODY] = (visible_body + open_area * torch.maximum(filled_body, below)).clamp(0, 1)
    result[NECK] = neck * (1 - result[BODY])
    result = result * (1 - new_head)
    result[HAIR], result[FACE] = head[HAIR], head[FACE]
    result[BACKGROUND] = (1 - result.sum(0)).clamp(0, 1)
    return result


def _shrunk(areas: Tensor, longer: int) -> Tensor:
    height, width = areas.shape[1:]
    factor = min(1.0, longer / max(height, width))
    size = (max(2, round(height * factor)), max(2, round(width * factor)))
    return functional.adaptive_avg_pool2d(areas, size)


def _shoulders(small: Tensor, neck: Neck, scale: float) -> Tensor:
    """(h, w) 0..1, on a small grid: where a body (5, h, w) lies under hair and beside a neck."""
    _, h, w = small.shape
    body = small[BODY] > _HALF
    rows = torch.arange(h)
    has = body.any(0)
    top = torch.where(has, body.int().argmax(0), torch.full((w,), h))
    above = small[:, (top - 2).clamp(min=0).clamp(max=h - 1), torch.arange(w)]
    # A cell or two of cloth between strands of hair is not a shoulder.
    visible = _wide(has & ((above[BACKGROUND] > _HALF) | (top <= 1)), 1)
    line = _line(visible, top.float(), neck, scale, w, h)
    # Hair that lies on the clothes: body above it in its column.
    on_clothes = _wide(has, 2)[None] & (rows[:, None] > top[None])
    shoulders = ((rows[:, None] >= line[None]) | on_clothes).float()
    return functional.avg_pool2d(shoulders[None], 5, 1, 2, count_include_pad=False)[0]


def _wide(columns: Tensor, reach: int) -> Tensor:
    """(w,) bool: the columns whose neighbours up to `reach` are True too."""
    return -functional.max_pool1d(-columns.float()[None], 2 * reach + 1, 1, reach)[0] > 0


def _line(visible: Tensor, top: Tensor, neck: Neck, scale: float, w: int, h: int) -> Tensor:
    """(w,): the row of the shoulder in each column: straight from the neck to where a shoulder becomes visible.

    A side that shows none is like the other one, and a shoulder falls from the neck on.
    """
    centre, unit = float(neck.middle[0]) * scale, neck.unit * scale
    half = (neck.width or USUAL_WIDTH * neck.unit) * scale / 2
    chin = float(neck.chin[1]) * scale
    base = chin + min(max(neck.base * scale, USUAL_LENGTH * unit), _MOST_LENGTH * unit) * float(neck.down[1])
    distance = torch.arange(w) - centre
    seen = {sign: torch.nonzero(visible & (sign * distance > half)).flatten() for sign in (-1, 1)}
    # Where a shoulder becomes visible on each side: columns from the middle, and row.
    ends = {
        sign: (float(sign * distance[at]), float(top[at]))
        for sign, columns in seen.items()
        if len(columns) and (at := columns[-1 if sign < 0 else 0]) is not None
    }
    result = torch.full((w,), base)
    for sign in (-1, 1):
        end = ends.get(sign) or ends.get(-sign)
        far, low = end or (half + 2 * unit, base + 2 * _SLOPE * unit)
        start = max(chin + _LEAST_LENGTH * unit, min(base, low - _LEAST_SLOPE * (far - half)))
        outward = sign * distance - half
        row = start + (low - start) / max(far - half, 1.0) * outward.clamp(min=0)
        row = torch.where(outward > far - half, low + _SLOPE * (outward - far + half), row)
        result = torch.where(sign * distance >= 0, row, result)
    return result.clamp(0, h)
