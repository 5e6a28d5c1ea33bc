"""Where a result differs from its target."""

from __future__ import annotations

from torch import Tensor

from ..fusion.dilation import dilate_area
from .mse import check_sizes

# Difference of a channel, of 1, from which a pixel changed: above the rounding of JPEGs of high quality.
_CHANGED = 6 / 255
# Holes and gaps of up to twice this share of the picture's shorter side count as changed, too.
_GAP = 1 / 100
# Share of the picture that changed from which it was made anew as a whole and has no edge.
_WHOLE = 0.9


def changed_area(result: Tensor, target: Tensor) -> Tensor | None:
    """(H, W) bool: where the result (H, W, 3) differs from the target; None where nothing or nearly all does.

    Raises ValueError for pictures of different sizes.
    """
    check_sizes(result, target)
    area = (result - target).abs().amax(-1) > _CHANGED
    gap = max(1, round(_GAP * min(area.shape)))
    # Specks go, then holes.
    area = dilate_area(~dilate_area(~area, 1), 1)
    area = ~dilate_area(~dilate_area(area, gap), gap)
    return area if 0 < float(area.float().mean()) < _WHOLE else None
