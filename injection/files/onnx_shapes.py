"""ONNX operators in torch: shapes, and values read from and laid into places."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .onnx_values import Inputs, Options, needed, setting, together, whole_numbers


def reshape(inputs: Inputs, options: Options) -> Tensor:
    x, shape = needed(inputs[0]), whole_numbers(setting(inputs, 1, options, "shape") or [])
    if not options.get("allowzero"):
        shape = [x.shape[i] if size == 0 else size for i, size in enumerate(shape)]
    return x.reshape(shape)


def flatten(inputs: Inputs, options: Options) -> Tensor:
    x, axis = needed(inputs[0]), int(options.get("axis", 1))
    return x.reshape(math.prod(x.shape[:axis]), -1)


def transpose(inputs: Inputs, options: Options) -> Tensor:
    x = needed(inputs[0])
    return x.permute(options.get("perm") or list(reversed(range(x.ndim))))


def squeeze(inputs: Inputs, options: Options) -> Tensor:
    x, axes = needed(inputs[0]), setting(inputs, 1, options, "axes")
    return x.squeeze() if axes is None else x.squeeze([axis % x.ndim for axis in axes])


def unsqueeze(inputs: Inputs, options: Options) -> Tensor:
    x, axes = needed(inputs[0]), setting(inputs, 1, options, "axes") or []
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


def concatenate(inputs: Inputs, options: Options) -> Tensor:
    """Concat."""
    return torch.cat(together(*inputs), int(options["axis"]))


def split(inputs: Inputs, options: Options) -> list[Tensor]:
    x, axis = needed(inputs[0]), int(options.get("axis", 0))
    sizes, count = setting(inputs, 1, options, "split"), int(options["outputs"])
    if sizes is None:
        sizes = [len(part) for part in torch.arange(x.shape[axis]).chunk(count)]
    return list(x.split(sizes, axis))


def cut(inputs: Inputs, options: Options) -> Tensor:
    x = needed(inputs[0])
    starts, ends = setting(inputs, 1, options, "starts") or [], setting(inputs, 2, options, "ends") or []
    axes = setting(inputs, 3, options, "axes") or list(range(len(starts)))
    steps = setting(inputs, 4, options, "steps") or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        places = range(*slice(start, end, step).indices(x.shape[axis]))
        if step == 1:
            x = x.narrow(axis, places.start, len(places))
        else:
            x = x.index_select(axis, torch.tensor(list(places), dtype=torch.int64, device=x.device))
    return x


def gather(inputs: Inputs, options: Options) -> Tensor:
    x, places, axis = needed(inputs[0]), needed(inputs[1]), int(options.get("axis", 0)) % needed(inputs[0]).ndim
    flat = _from_the_start(places.flatten().to(x.device), x.shape[axis])
    return x.index_select(axis, flat).reshape([*x.shape[:axis], *places.shape, *x.shape[axis + 1 :]])


def gather_each(inputs: Inputs, options: Options) -> Tensor:
    """GatherElements."""
    x, places = together(*inputs)
    axis = int(options.get("axis", 0))
    return x.gather(axis, _from_the_start(places, x.shape[axis]))


def scatter_each(inputs: Inputs, options: Options) -> Tensor:
    """ScatterElements."""
    if options.get("reduction", "none") != "none":
        raise ValueError("a ScatterElements that adds up is not run")
    x, places, values = together(*inputs)
    axis = int(options.get("axis", 0))
    return x.scatter(axis, _from_the_start(places, x.shape[axis]), values)


def _from_the_start(places: Tensor, length: int) -> Tensor:
    """Places of which negative ones are counted from the end."""
    return torch.where(places < 0, places + length, places)


def top_k(inputs: Inputs, options: Options) -> list[Tensor]:
    """TopK."""
    x, count = needed(inputs[0]), setting(inputs, 1, options, "k") or [1]
    return list(x.topk(count[0], int(options.get("axis", -1)), bool(options.get("largest", 1))))


def expand(inputs: Inputs, options: Options) -> Tensor:
    x = needed(inputs[0])
    return x.expand(torch.broadcast_shapes(x.shape, whole_numbers(inputs[1])))


def constant_of_shape(inputs: Inputs, options: Options) -> Tensor:
    """ConstantOfShape."""
    value = options.get("value")
    value = torch.zeros(1) if value is None else value
    return torch.full(whole_numbers(inputs[0]), value.item(), dtype=value.dtype)


def number_range(inputs: Inputs, options: Options) -> Tensor:
    start, end, step = (needed(each).item() for each in inputs)
    return torch.arange(start, end, step, dtype=needed(inputs[0]).dtype)
