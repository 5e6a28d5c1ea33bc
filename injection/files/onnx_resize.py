"""ONNX's Resize and its forerunner Upsample in torch: axis by axis, from the places that the operator defines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

# Kind of places -> where a pixel of the result lies in the input. x: pixels of the result from 0; scale; sizes of
# input and result.
_PLACES: Mapping[str, Callable[[Tensor, float, int, int], Tensor]] = {
    "half_pixel": lambda x, scale, before, after: (x + 0.5) / scale - 0.5,
    "pytorch_half_pixel": lambda x, scale, before, after: (x + 0.5) / scale - 0.5 if after > 1 else x * 0,
    "align_corners": lambda x, scale, before, after: x * ((before - 1) / (after - 1)) if after > 1 else x * 0,
    "asymmetric": lambda x, scale, before, after: x / scale,
    "half_pixel_symmetric": lambda x, scale, before, after: (
        before / 2 * (1 - after / (before * scale)) + (x + 0.5) / scale - 0.5
    ),
}
_ROUNDING: Mapping[str, Callable[[Tensor], Tensor]] = {
    "round_prefer_floor": lambda x: (x - 0.5).ceil(),
    "round_prefer_ceil": lambda x: (x + 0.5).floor(),
    "floor": torch.floor,
    "ceil": torch.ceil,
}


def resize(inputs: Sequence[Tensor | None], options: Mapping[str, Any]) -> Tensor:
    """Resize, versions 10 to 19, without antialiasing. Raises ValueError for what it does not do."""
    unknown = [name for name in ("antialias", "exclude_outside") if options.get(name)]
    unknown += [] if options.get("keep_aspect_ratio_policy", "stretch") == "stretch" else ["keep_aspect_ratio_policy"]
    kind = options.get("coordinate_transformation_mode", "half_pixel" if options["opset"] > 10 else "asymmetric")
    if unknown or kind not in _PLACES:
        raise ValueError(f"a Resize with {', '.join(unknown) or kind} is not run")
    # Version 10 has no region of interest, and scales come second.
    x, scales, sizes = inputs[0], inputs[2 if len(inputs) > 2 else 1], inputs[3] if len(inputs) > 3 else None
    if x is None:
        raise ValueError("a Resize without a picture")
    axes = [axis % x.ndim for axis in options.get("axes") or range(x.ndim)]
    if sizes is not None and sizes.numel():
        after = [int(each) for each in sizes.tolist()]
        factors = [size / x.shape[axis] for size, axis in zip(after, axes, strict=True)]
    else:
        factors = [] if scales is None else scales.tolist()
        after = [math.floor(x.shape[axis] * factor) for factor, axis in zip(factors, axes, strict=True)]
    rounding = options.get("nearest_mode", "round_prefer_floor" if options["opset"] > 10 else "floor")
    for axis, factor, size in zip(axes, factors, after, strict=True):
        if factor != 1:
            places = _PLACES[kind](torch.arange(size, dtype=torch.float32), factor, x.shape[axis], size)
            x = _along(x, axis, places, options.get("mode", "nearest"), rounding, options.get("cubic_coeff_a", -0.75))
    return x


def upsample(inputs: Sequence[Tensor | None], options: Mapping[str, Any]) -> Tensor:
    """Upsample, versions 7 to 9."""
    scales = inputs[1] if len(inputs) > 1 else torch.tensor(options["scales"])
    more = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return resize([inputs[0], None, scales], {**options, **more})


def _along(x: Tensor, axis: int, places: Tensor, mode: str, rounding: str, sharpness: float) -> Tensor:
    """`x` read at `places` of one axis; beyond its ends lie its outermost values."""

    def read(index: Tensor) -> Tensor:
        return x.index_select(axis, index.long().clamp(0, x.shape[axis] - 1).to(x.device))

    if mode == "nearest":
        return read(_ROUNDING[rounding](places))
    first = places.floor()
    shape = [-1 if each == axis else 1 for each in range(x.ndim)]
    share = (places - first).to(x).reshape(shape)
    if mode == "linear":
        return torch.lerp(read(first), read(first + 1), share)
    if mode != "cubic":
        raise ValueError(f"a Resize of mode {mode} is not run")
    result = torch.zeros(())
    for step in (-1, 0, 1, 2):
        result = result + read(first + step) * _cubic((share - step).abs(), sharpness)
    return result


def _cubic(distance: Tensor, a: float) -> Tensor:
    """The weight of a value this far away, 0..2, by Keys' convolution."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return torch.where(distance <= 1, near, far)
