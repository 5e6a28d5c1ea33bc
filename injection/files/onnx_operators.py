"""ONNX operators in torch, as https://onnx.ai/onnx/operators defines them; enough for face networks.

An operator takes the values of its inputs (None for an absent one) and its attributes, and gives its first output or a
list of all. Whole numbers stay on the CPU, where shapes are reckoned; floats lie where the weights do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from .onnx_layers import (
    convolve,
    deconvolve,
    depth_to_space,
    gemm,
    grid_sample,
    hard_sigmoid,
    lp_normalize,
    normed_by_batch,
    normed_by_instance,
    normed_by_layer,
    pad,
    pool,
    prelu,
    softmax,
)
from .onnx_resize import resize, upsample
from .onnx_shapes import (
    concatenate,
    constant_of_shape,
    cut,
    expand,
    flatten,
    gather,
    gather_each,
    number_range,
    reshape,
    scatter_each,
    split,
    squeeze,
    top_k,
    transpose,
    unsqueeze,
)
from .onnx_values import Inputs, Operator, Options, needed, setting, together, whole_numbers

# TensorProto.DataType of whole numbers and of truth; every float is float32.
_WHOLE, _BOOL = (2, 3, 4, 5, 6, 7, 12, 13), 9


def _unary(function: Callable[[Tensor], Tensor]) -> Operator:
    return lambda inputs, options: function(needed(inputs[0]))


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda inputs, options: function(*together(*inputs[:2]))


def _folded(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    """For any number of inputs."""

    def run(inputs: Inputs, options: Options) -> Tensor:
        result = needed(inputs[0])
        for each in inputs[1:]:
            result = function(*together(result, each))
        return result

    return run


def _divide(one: Tensor, other: Tensor) -> Tensor:
    return one / other if one.is_floating_point() else torch.div(one, other, rounding_mode="trunc")


def _clip(inputs: Inputs, options: Options) -> Tensor:
    limits = [inputs[at] if len(inputs) > at else None for at in (1, 2)]
    low, high = (
        float(limit) if limit is not None else options.get(name)
        for limit, name in zip(limits, ("min", "max"), strict=True)
    )
    x = needed(inputs[0])
    return x if low is None and high is None else x.clamp(low, high).to(x.dtype)


def _cast(inputs: Inputs, options: Options) -> Tensor:
    x, kind = needed(inputs[0]), int(options["to"])
    if kind in _WHOLE:
        return x.to(torch.int64)
    return x.to(torch.bool if kind == _BOOL else torch.float32)


def _place_of(function: Callable[..., Tensor]) -> Operator:
    """ArgMax, ArgMin: of equal values the first."""

    def run(inputs: Inputs, options: Options) -> Tensor:
        if options.get("select_last_index"):
            raise ValueError("the last of equal values is not looked for")
        return function(needed(inputs[0]), int(options.get("axis", 0)), bool(options.get("keepdims", 1)))

    return run


def _where(inputs: Inputs, options: Options) -> Tensor:
    condition, one, other = together(*inputs)
    return torch.where(condition, one, other)


def _reduce(function: Callable[[Tensor, list[int], bool], Tensor]) -> Operator:
    def run(inputs: Inputs, options: Options) -> Tensor:
        x, axes = needed(inputs[0]), setting(inputs, 1, options, "axes")
        if not axes and options.get("noop_with_empty_axes"):
            return x
        return function(x, axes or list(range(x.ndim)), bool(options.get("keepdims", 1)))

    return run


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


OPERATORS: Mapping[str, Operator] = {
    "Abs": _unary(torch.abs),
    "Add": _binary(torch.add),
    "And": _binary(torch.logical_and),
    "ArgMax": _place_of(torch.argmax),
    "ArgMin": _place_of(torch.argmin),
    "AveragePool": lambda inputs, options: pool(inputs, options, average=True),
    "BatchNormalization": normed_by_batch,
    "Cast": _cast,
    "Ceil": _unary(torch.ceil),
    "Clip": _clip,
    "Concat": concatenate,
    "ConstantOfShape": constant_of_shape,
    "Conv": convolve,
    "ConvTranspose": deconvolve,
    "Cos": _unary(torch.cos),
    "DepthToSpace": depth_to_space,
    "Div": _binary(_divide),
    "Dropout": _unary(lambda x: x),
    "Einsum": lambda inputs, options: torch.einsum(options["equation"], *together(*inputs)),
    "Elu": lambda inputs, options: functional.elu(needed(inputs[0]), options.get("alpha", 1.0)),
    "Equal": _binary(torch.eq),
    "Erf": _unary(torch.erf),
    "Exp": _unary(torch.exp),
    "Expand": expand,
    "Flatten": flatten,
    "Floor": _unary(torch.floor),
    "Gather": gather,
    "GatherElements": gather_each,
    "Gemm": gemm,
    "GlobalAveragePool": _unary(lambda x: x.mean(list(range(2, x.ndim)), keepdim=True)),
    "Greater": _binary(torch.gt),
    "GreaterOrEqual": _binary(torch.ge),
    "GridSample": grid_sample,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": _unary(functional.hardswish),
    "Identity": _unary(lambda x: x),
    "InstanceNormalization": normed_by_instance,
    "LayerNormalization": normed_by_layer,
    "LeakyRelu": lambda inputs, options: functional.leaky_relu(needed(inputs[0]), options.get("alpha", 0.01)),
    "Less": _binary(torch.lt),
    "LessOrEqual": _binary(torch.le),
    "Log": _unary(torch.log),
    "LpNormalization": lp_normalize,
    "MatMul": _binary(torch.matmul),
    "Max": _folded(torch.maximum),
    "MaxPool": lambda inputs, options: pool(inputs, options, average=False),
    "Min": _folded(torch.minimum),
    "Mul": _binary(torch.mul),
    "Neg": _unary(torch.neg),
    "Not": _unary(torch.logical_not),
    "Or": _binary(torch.logical_or),
    "PRelu": _binary(prelu),
    "Pad": pad,
    "Pow": _binary(torch.pow),
    "Range": number_range,
    "Reciprocal": _unary(torch.reciprocal),
    "ReduceL2": _reduce(lambda x, axes, keep: x.square().sum(axes, keepdim=keep).sqrt()),
    "ReduceMax": _reduce(lambda x, axes, keep: x.amax(axes, keepdim=keep)),
    "ReduceMean": _reduce(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "ReduceMin": _reduce(lambda x, axes, keep: x.amin(axes, keepdim=keep)),
    "ReduceProd": _reduce(_product),
    "ReduceSum": _reduce(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
    "Relu": _unary(torch.relu),
    "Reshape": reshape,
    "Resize": resize,
    "Round": _unary(torch.round),
    "ScatterElements": scatter_each,
    "Shape": _unary(lambda x: torch.tensor(x.shape)),
    "Sigmoid": _unary(torch.sigmoid),
    "Sign": _unary(torch.sign),
    "Sin": _unary(torch.sin),
    "Slice": cut,
    "Softmax": softmax,
    "Softplus": _unary(functional.softplus),
    "Split": split,
    "Sqrt": _unary(torch.sqrt),
    "Squeeze": squeeze,
    "Sub": _binary(torch.sub),
    "Sum": _folded(torch.add),
    "Tanh": _unary(torch.tanh),
    "Tile": lambda inputs, options: needed(inputs[0]).repeat(whole_numbers(inputs[1])),
    "TopK": top_k,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
    "Upsample": upsample,
    "Where": _where,
}
