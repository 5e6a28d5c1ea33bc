"""Small ONNX graphs with random weights, built as the published swappers of each kind are built."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from support.onnx_files import Step, draw, write

WIDTH = 6
EMAP = draw(512, 512) / 512**0.5
# Points in crops of 512 pixels, 1 pixel and so on are the pack's; sizes here are those by which files are known.
KINDS = ("inswapper", "HyperSwap", "SimSwap", "SimSwap 512", "Ghost", "BlendSwap", "UniFace")


class Builder:
    """Collects operators and their weights."""

    def __init__(self, seed: int = 0) -> None:
        self.nodes: list[Step] = []
        self.weights: dict[str, Tensor] = {}
        self.seed = seed

    def weight(self, *shape: int, scale: float = 1.0) -> str:
        fan = max(1, torch.Size(shape[1:]).numel())
        return self.constant(draw(*shape, seed=self.seed + len(self.weights)) * scale / fan**0.5)

    def constant(self, value: Tensor) -> str:
        name = f"w{len(self.weights)}"
        self.weights[name] = value
        return name

    def op(self, kind: str, *inputs: str, **options: object) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append((kind, list(inputs), [name], options))
        return name

    def conv(self, x: str, inside: int, outside: int, side: int = 3, stride: int = 1, pad: int = 1) -> str:
        weight, bias = self.weight(outside, inside, side, side), self.weight(outside, scale=0.1)
        return self.op("Conv", x, weight, bias, strides=[stride] * 2, pads=[pad] * 4, kernel_shape=[side] * 2)

    def reflected(self, x: str, pad: int) -> str:
        return self.op("Pad", x, self.constant(torch.tensor([0, 0, pad, pad, 0, 0, pad, pad])), mode="reflect")

    def linear(self, x: str, inside: int, outside: int) -> str:
        return self.op("Gemm", x, self.weight(outside, inside), self.weight(outside, scale=0.1), transB=1)

    def map_of(self, vector: str, width: int) -> str:
        return self.op("Reshape", vector, self.constant(torch.tensor([1, width, 1, 1])))

    def normed(self, x: str) -> str:
        """Instance normalisation spelt out, as SimSwap and inswapper export it."""
        centred = self.op("Sub", x, self.op("ReduceMean", x, axes=[2, 3], keepdims=1))
        power = self.op("ReduceMean", self.op("Mul", centred, centred), axes=[2, 3], keepdims=1)
        root = self.op("Sqrt", self.op("Add", power, self.constant(torch.tensor(1e-8))))
        return self.op("Mul", centred, self.op("Div", self.constant(torch.tensor(1.0)), root))

    def styled(self, x: str, identity: str, inside: int) -> str:
        """AdaIN: the identity gives each channel its scale and shift."""
        style = self.op("Unsqueeze", self.op("Unsqueeze", self.linear(identity, inside, 2 * WIDTH), axes=[2]), axes=[3])
        scale = self.op("Slice", style, *map(self.constant, torch.tensor([[0], [WIDTH], [1]])))
        shift = self.op("Slice", style, *map(self.constant, torch.tensor([[WIDTH], [2 * WIDTH], [1]])))
        more = self.op("Add", scale, self.constant(torch.tensor(1.0)))
        return self.op("Add", self.op("Mul", self.normed(x), more), shift)

    def attended(self, x: str, attributes: str, identity: str) -> str:
        """AAD: at each cell a mask chooses between attributes and identity."""
        ones, zeros = self.constant(torch.ones(WIDTH)), self.constant(torch.zeros(WIDTH))
        h = self.op("InstanceNormalization", x, ones, zeros)
        by_map = self.op("Mul", self.conv(attributes, WIDTH, WIDTH, 1, pad=0), h)
        by_map = self.op("Add", by_map, self.conv(attributes, WIDTH, WIDTH, 1, pad=0))
        by_vector = self.op("Mul", self.map_of(self.linear(identity, 512, WIDTH), WIDTH), h)
        mask = self.op("Sigmoid", self.conv(h, WIDTH, 1, 1, pad=0))
        rest = self.op("Sub", self.constant(torch.tensor(1.0)), mask)
        return self.op("Add", self.op("Mul", rest, by_map), self.op("Mul", mask, by_vector))

    def twice(self, x: str, places: str = "pytorch_half_pixel") -> str:
        scales = self.constant(torch.tensor([1.0, 1.0, 2.0, 2.0]))
        return self.op(
            "Resize", x, self.constant(torch.zeros(0)), scales, mode="linear", coordinate_transformation_mode=places
        )

    def doubled(self, x: str, outside: int) -> str:
        return self.op(
            "ConvTranspose", x, self.weight(WIDTH, outside, 4, 4, scale=0.5), strides=[2, 2], pads=[1, 1, 1, 1]
        )


def _modulated(build: Builder, x: str, identity: str, inside: int) -> str:
    """Reflected convolutions and AdaIN between halving and doubling, as SimSwap and inswapper have them."""
    x = build.op("Relu", build.conv(build.reflected(x, 1), 3, WIDTH, pad=0))
    x = build.op("LeakyRelu", build.conv(x, WIDTH, WIDTH, stride=2), alpha=0.2)
    x = build.op("Relu", build.styled(build.conv(x, WIDTH, WIDTH), identity, inside))
    return build.op("Add", x, build.styled(build.conv(x, WIDTH, WIDTH), identity, inside))


def _vector_of(build: Builder, picture: str) -> str:
    """A recogniser within a swapper: convolution, PRelu, BatchNorm, mean, linear."""
    x = build.conv(picture, 3, WIDTH, stride=2)
    x = build.op("PRelu", x, build.constant(draw(WIDTH, 1, 1).abs() * 0.2))
    ones = [build.constant(torch.rand(WIDTH) + 0.5) for _ in range(4)]
    x = build.op("BatchNormalization", x, *ones)
    x = build.op("Flatten", build.op("GlobalAveragePool", x))
    x = build.linear(x, WIDTH, 32)
    return build.op("Div", x, build.op("ReduceL2", x, axes=[1], keepdims=1))


def swapper_file(path: Path, kind: str, seed: int = 0) -> Path:
    """A small graph of one of KINDS."""
    build = Builder(seed)
    size = {"inswapper": 128, "SimSwap 512": 512}.get(kind, 256)
    source = {"BlendSwap": [1, 3, 112, 112], "UniFace": [1, 3, 256, 256]}.get(kind, [1, 512])
    outputs = {"output": [1, 3, size, size]}
    if kind == "Ghost":
        maps = build.op("LeakyRelu", build.conv("target", 3, WIDTH, 4, 2), alpha=0.1)
        x = build.op("LeakyRelu", build.conv(maps, WIDTH, WIDTH), alpha=0.1)
        for _ in range(8):
            x = build.conv(build.op("Relu", build.attended(x, maps, "source")), WIDTH, WIDTH)
        x = build.op("Tanh", build.conv(build.twice(x, "align_corners"), WIDTH, 3))
    elif kind in ("BlendSwap", "UniFace"):
        x = _modulated(build, "target", _vector_of(build, "source"), 32)
        x = build.doubled(x, 3)
        x = build.op("Tanh", x) if kind == "UniFace" else build.op("Clip", x, *_limits(build))
    else:
        x = _modulated(build, "target", "source", 512)
        x = build.conv(build.reflected(build.twice(x), 3), WIDTH, 3, 7, pad=0)
        if kind == "HyperSwap":
            mask = build.op("ReduceMean", x, axes=[1], keepdims=1)
            build.nodes.append(("Sigmoid", [mask], ["mask"], {}))
            outputs["mask"] = [1, 1, size, size]
        x = build.op("Tanh", x)
        if kind != "HyperSwap":
            x = build.op(
                "Div", build.op("Add", x, build.constant(torch.tensor(1.0))), build.constant(torch.tensor(2.0))
            )
    build.nodes.append(("Identity", [x], ["output"], {}))
    if kind == "inswapper":
        build.weights["emap"] = EMAP
    return write(path, {"target": [1, 3, size, size], "source": source}, outputs, build.nodes, build.weights)


def _limits(build: Builder) -> list[str]:
    return [build.constant(torch.tensor(0.0)), build.constant(torch.tensor(1.0))]


def recogniser_file(path: Path, width: int = 512, seed: int = 2) -> Path:
    """A small ArcFace: convolutions, PRelu, BatchNorm, a linear layer; vectors of a length of their own."""
    build = Builder(seed)
    x = build.op("PRelu", build.conv("data", 3, WIDTH, stride=4), build.constant(draw(WIDTH, 1, 1).abs() * 0.2))
    x = build.op("Flatten", build.conv(x, WIDTH, 2, stride=4))
    build.nodes.append(("Gemm", [x, build.weight(width, 98)], ["out"], {"transB": 1}))
    return write(path, {"data": ["n", 3, 112, 112]}, {"out": ["n", width]}, build.nodes, build.weights)


def converter_file(path: Path, width: int = 512) -> Path:
    build = Builder(5)
    x = build.op("LeakyRelu", build.linear("input", 512, 64), alpha=0.1)
    build.nodes.append(("Gemm", [x, build.weight(width, 64)], ["output"], {"transB": 1}))
    return write(path, {"input": [1, 512]}, {"output": [1, width]}, build.nodes, build.weights)


def restorer_file(path: Path, size: int = 64, fidelity: bool = False) -> Path:
    """A convolution and Tanh; with `fidelity`, between the picture (1) and that (0), as CodeFormer's file has it."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, size, size])]
    weights = [numpy_helper.from_array((draw(3, 3, 3, 3) * 0.3).numpy(), "w")]
    nodes = [helper.make_node("Conv", ["input", "w"], ["c"], pads=[1] * 4), helper.make_node("Tanh", ["c"], ["t"])]
    last = "t"
    if fidelity:
        inputs.append(helper.make_tensor_value_info("weight", TensorProto.DOUBLE, [1]))
        nodes += [
            helper.make_node("Cast", ["weight"], ["f"], to=1), helper.make_node("Sub", ["input", "t"], ["s"]),
            helper.make_node("Mul", ["s", "f"], ["m"]), helper.make_node("Add", ["t", "m"], ["a"]),
        ]  # fmt: skip
        last = "a"
    nodes.append(helper.make_node("Identity", [last], ["output"]))
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, size, size])]

    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path
