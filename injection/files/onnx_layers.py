"""ONNX operators in torch: convolutions, norms, pools and other layers of networks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from .onnx_values import Inputs, Options, needed, setting, together


def _padded(x: Tensor, options: Options, kernel: Sequence[int], value: float = 0.0) -> Tensor:
    """`x` with the padding of a convolution or pool around it."""
    dims = len(kernel)
    strides, dilations = (options.get(name) or [1] * dims for name in ("strides", "dilations"))
    automatic = options.get("auto_pad", "NOTSET")
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        pads = []
        for size, side, stride, dilation in zip(x.shape[2:], kernel, strides, dilations, strict=True):
            whole = max(0, (math.ceil(size / stride) - 1) * stride + dilation * (side - 1) + 1 - size)
            less = whole // 2
            pads.append((less, whole - less) if automatic == "SAME_UPPER" else (whole - less, less))
    else:
        flat = options.get("pads") or [0] * 2 * dims
        pads = list(zip(flat[:dims], flat[dims:], strict=True))
    if not any(map(any, pads)):
        return x
    return functional.pad(x, [each for pair in reversed(pads) for each in pair], value=value)


def convolve(inputs: Inputs, options: Options) -> Tensor:
    weight, bias = needed(inputs[1]), inputs[2] if len(inputs) > 2 else None
    dims = weight.ndim - 2
    function = (functional.conv1d, functional.conv2d, functional.conv3d)[dims - 1]
    x = _padded(needed(inputs[0]), options, weight.shape[2:])
    strides, dilations = (options.get(name) or [1] * dims for name in ("strides", "dilations"))
    return function(x, weight, bias, strides, 0, dilations, int(options.get("group", 1)))


def deconvolve(inputs: Inputs, options: Options) -> Tensor:
    weight, bias = needed(inputs[1]), inputs[2] if len(inputs) > 2 else None
    if options.get("output_shape") or options.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise ValueError("a ConvTranspose with output_shape or auto_pad is not run")
    dims = weight.ndim - 2
    strides, more, dilations, pads = (
        options.get(name) or default
        for name, default in (
            ("strides", [1] * dims), ("output_padding", [0] * dims), ("dilations", [1] * dims), ("pads", [0] * 2 * dims)
        )
    )  # fmt: skip
    function = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)[dims - 1]
    x = function(needed(inputs[0]), weight, bias, strides, 0, more, int(options.get("group", 1)), dilations)
    for axis in range(dims):
        before, after = pads[axis], pads[dims + axis]
        x = x.narrow(axis + 2, before, x.shape[axis + 2] - before - after)
    return x


def normed_by_batch(inputs: Inputs, options: Options) -> Tensor:
    x, weight, bias, mean, variance = map(needed, inputs)
    return functional.batch_norm(x, mean, variance, weight, bias, eps=options.get("epsilon", 1e-5))


def normed_by_instance(inputs: Inputs, options: Options) -> Tensor:
    x, weight, bias = map(needed, inputs)
    return functional.instance_norm(x, weight=weight, bias=bias, eps=options.get("epsilon", 1e-5))


def normed_by_layer(inputs: Inputs, options: Options) -> Tensor:
    x, axis = needed(inputs[0]), int(options.get("axis", -1))
    bias = inputs[2] if len(inputs) > 2 else None
    shape = x.shape[axis % x.ndim :]
    return functional.layer_norm(x, shape, needed(inputs[1]), bias, options.get("epsilon", 1e-5))


def gemm(inputs: Inputs, options: Options) -> Tensor:
    """Gemm."""
    one, other = (
        needed(x).T if options.get(name) else needed(x)
        for x, name in zip(inputs[:2], ("transA", "transB"), strict=True)
    )
    result = options.get("alpha", 1.0) * (one @ other)
    return (
        result + options.get("beta", 1.0) * needed(inputs[2]) if len(inputs) > 2 and inputs[2] is not None else result
    )


def pool(inputs: Inputs, options: Options, average: bool) -> Tensor:
    kernel, strides = options["kernel_shape"], options.get("strides") or [1] * len(options["kernel_shape"])
    if options.get("ceil_mode") or len(kernel) != 2:
        raise ValueError("pools with ceil_mode or of other than two dimensions are not run")
    x = needed(inputs[0])
    if not average:
        padded = _padded(x, options, kernel, -math.inf)
        return functional.max_pool2d(padded, kernel, strides, 0, options.get("dilations") or 1)
    result = functional.avg_pool2d(_padded(x, options, kernel), kernel, strides)
    if options.get("count_include_pad"):
        return result
    # Cells beyond the map do not count.
    return result / functional.avg_pool2d(_padded(torch.ones_like(x[:1, :1]), options, kernel), kernel, strides)


def pad(inputs: Inputs, options: Options) -> Tensor:
    x, pads = needed(inputs[0]), setting(inputs, 1, options, "pads")
    if pads is None:
        raise ValueError("a Pad without sizes")
    axes = [axis % x.ndim for axis in setting(inputs, 3, options, "axes") or range(x.ndim)]
    both = {axis: (pads[i], pads[len(axes) + i]) for i, axis in enumerate(axes)}
    flat = [each for axis in reversed(range(x.ndim)) for each in both.get(axis, (0, 0))]
    while len(flat) > 2 and flat[-2:] == [0, 0]:
        flat = flat[:-2]
    mode = options.get("mode", "constant")
    if mode == "constant":
        value = float(needed(inputs[2])) if len(inputs) > 2 and inputs[2] is not None else options.get("value", 0.0)
        return functional.pad(x, flat, value=value)
    return functional.pad(x, flat, mode={"reflect": "reflect", "edge": "replicate"}[mode])


def depth_to_space(inputs: Inputs, options: Options) -> Tensor:
    x, block = needed(inputs[0]), int(options["blocksize"])
    if options.get("mode", "DCR") == "CRD":
        return functional.pixel_shuffle(x, block)
    batch, channels, height, width = x.shape
    x = x.reshape(batch, block, block, channels // block**2, height, width).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(batch, channels // block**2, height * block, width * block)


def grid_sample(inputs: Inputs, options: Options) -> Tensor:
    """GridSample."""
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(options.get("mode", "bilinear"), options.get("mode"))
    picture, grid = together(*inputs[:2])
    return functional.grid_sample(
        picture, grid, mode or "bilinear", options.get("padding_mode", "zeros"), bool(options.get("align_corners", 0))
    )


def softmax(inputs: Inputs, options: Options) -> Tensor:
    x, old = needed(inputs[0]), options["opset"] < 13
    axis = int(options.get("axis", 1 if old else -1)) % x.ndim
    # Before version 13 all dimensions from this one on are one.
    return x.flatten(axis).softmax(-1).reshape(x.shape) if old else x.softmax(axis)


def lp_normalize(inputs: Inputs, options: Options) -> Tensor:
    """LpNormalization."""
    return functional.normalize(needed(inputs[0]), options.get("p", 2), int(options.get("axis", -1)), 0)


def prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x >= 0, x, x * slope)


def hard_sigmoid(inputs: Inputs, options: Options) -> Tensor:
    return (options.get("alpha", 0.2) * needed(inputs[0]) + options.get("beta", 0.5)).clamp(0, 1)
