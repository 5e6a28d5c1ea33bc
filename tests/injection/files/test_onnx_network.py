"""ONNX files read and run in torch: every operator against onnxruntime, and files that are something else."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.injection.files import onnx_network
from face_part_fusion.injection.files.onnx_graph import read_graph
from face_part_fusion.injection.files.onnx_network import RuntimeNetwork, TorchNetwork, read_network
from face_part_fusion.injection.files.onnx_operators import OPERATORS
from support.onnx_files import by_onnxruntime, draw, write

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

X = [1, 4, 6, 8]


def whole(*values):
    return torch.tensor(values)


def one(kind, weights=(), shape=X, opset=13, extra=0, **options):
    """A graph of one operator; `weights`: its further inputs, None for an absent one."""
    named = {f"w{i}": each for i, each in enumerate(weights) if each is not None}
    inputs = ["x", *(f"w{i}" if each is not None else "" for i, each in enumerate(weights))]
    outputs = ["y", *(f"y{i}" for i in range(extra))]
    return {"x": shape}, outputs, [(kind, inputs, outputs, options)], named, opset


def chain(*steps, weights=None, opset=13, shape=X):
    """Operators in a row; each reads the last result and further names."""
    nodes, last = [], "x"
    for i, (kind, more, options) in enumerate(steps):
        nodes.append((kind, [last, *more], [f"v{i}"], options))
        last = f"v{i}"
    return {"x": shape}, [last], nodes, weights or {}, opset


POSITIVE = draw(*X).abs() + 0.5
UNARY = (
    "Abs", "Ceil", "Cos", "Elu", "Erf", "Exp", "Floor", "GlobalAveragePool", "Identity", "LeakyRelu", "LpNormalization",
    "Neg", "Relu", "Round", "Sigmoid", "Sin", "Softmax", "Softplus", "Tanh", "Transpose", "Flatten", "ReduceMean",
)  # fmt: skip
CASES = {
    **{kind: one(kind) for kind in UNARY},
    **{kind: one(kind, [draw(*X, seed=1)]) for kind in ("Add", "Sub", "Mul", "Max", "Min", "Sum")},
    "Dropout": one("Dropout"),
    "Div": one("Div", [POSITIVE]),
    "Pow": chain(("Abs", [], {}), ("Pow", ["two"], {}), weights={"two": torch.tensor(1.5)}),
    "Sqrt": chain(("Abs", [], {}), ("Sqrt", [], {})),
    "Log": chain(("Abs", [], {}), ("Add", ["one"], {}), ("Log", [], {}), weights={"one": torch.tensor(1.0)}),
    "Reciprocal": chain(("Exp", [], {}), ("Reciprocal", [], {})),
    "PRelu": one("PRelu", [draw(4, 1, 1)]),
    "LeakyRelu 0.2": one("LeakyRelu", alpha=0.2),
    "Clip": one("Clip", [torch.tensor(-0.5), torch.tensor(0.3)]),
    "Clip above": one("Clip", [None, torch.tensor(0.3)]),
    "Clip of old files": one("Clip", opset=6, min=-0.2, max=0.4),
    "Conv": one("Conv", [draw(5, 4, 3, 3), draw(5)], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
    "Conv, uneven pads": one(
        "Conv", [draw(8, 2, 3, 2)], pads=[1, 0, 2, 1], strides=[2, 1], dilations=[1, 2], group=2, kernel_shape=[3, 2]
    ),
    "Conv, same upper": one("Conv", [draw(5, 4, 3, 3)], auto_pad="SAME_UPPER", strides=[2, 2], kernel_shape=[3, 3]),
    "Conv, same lower": one("Conv", [draw(5, 4, 4, 4)], auto_pad="SAME_LOWER", kernel_shape=[4, 4]),
    "Conv in one dimension": one("Conv", [draw(5, 4, 3)], shape=[1, 4, 9], pads=[1, 1], kernel_shape=[3]),
    "ConvTranspose": one("ConvTranspose", [draw(4, 3, 4, 4), draw(3)], strides=[2, 2], pads=[1, 1, 1, 1]),
    "ConvTranspose, uneven": one(
        "ConvTranspose", [draw(4, 3, 3, 3)], strides=[2, 2], pads=[1, 0, 0, 1], output_padding=[1, 1], group=1
    ),
    "BatchNormalization": one(
        "BatchNormalization", [draw(4), draw(4, seed=1), draw(4, seed=2), draw(4, seed=3).abs() + 0.5], epsilon=1e-3
    ),
    "InstanceNormalization": one("InstanceNormalization", [draw(4), draw(4, seed=1)], epsilon=1e-4),
    "LayerNormalization": one("LayerNormalization", [draw(8), draw(8, seed=1)], opset=17),
    "Gemm": one("Gemm", [draw(5, 8), draw(5)], shape=[3, 8], transB=1, alpha=0.5, beta=2.0),
    "Gemm without C": one("Gemm", [draw(8, 5), None], shape=[3, 8]),
    "MatMul": one("MatMul", [draw(8, 3)]),
    "AveragePool": one("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "AveragePool with its pads": one("AveragePool", kernel_shape=[2, 2], pads=[1, 1, 0, 0], count_include_pad=1),
    "MaxPool": one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "Pad": one("Pad", [whole(0, 0, 1, 2, 0, 0, 0, 3), torch.tensor(0.7)]),
    "Pad reflect": one("Pad", [whole(0, 0, 3, 2, 0, 0, 1, 3)], mode="reflect"),
    "Pad edge": one("Pad", [whole(0, 0, 3, 2, 0, 0, 1, 3)], mode="edge"),
    "Pad of old files": one("Pad", opset=10, pads=[0, 1, 3, 2, 0, 0, 1, 3], value=0.2),
    "Pad of some axes": one("Pad", [whole(1, 2), None, whole(-1)], opset=18),
    "Reshape": one("Reshape", [whole(0, 2, -1)]),
    "Flatten 2": one("Flatten", axis=2),
    "Flatten from the end": one("Flatten", axis=-1),
    "Transpose 0231": one("Transpose", perm=[0, 2, 3, 1]),
    "Squeeze": one("Squeeze", [whole(0)]),
    "Squeeze of old files": one("Squeeze", opset=11, axes=[0]),
    "Unsqueeze": one("Unsqueeze", [whole(0, -1)]),
    "Unsqueeze of old files": one("Unsqueeze", opset=11, axes=[1, 3]),
    "Concat": one("Concat", [draw(1, 2, 6, 8)], axis=1),
    "Split": one("Split", [whole(1, 3)], extra=1, axis=1),
    "Split evenly": one("Split", extra=1, axis=3),
    "Slice": one("Slice", [whole(1, -6), whole(2**62, -1), whole(2, 3), whole(2, 1)]),
    "Slice backwards": one("Slice", [whole(-1), whole(-(2**62)), whole(3), whole(-2)]),
    "Slice of old files": one("Slice", opset=9, starts=[1], ends=[3], axes=[1]),
    "Gather": one("Gather", [whole(2, 0, -1)], axis=3),
    "Gather one": one("Gather", [torch.tensor(1)], axis=1),
    "Expand": one("Expand", [whole(3, 4, 1, 1)], shape=[1, 1, 6, 8]),
    "Tile": one("Tile", [whole(1, 2, 1, 3)]),
    "DepthToSpace": one("DepthToSpace", blocksize=2),
    "DepthToSpace CRD": one("DepthToSpace", blocksize=2, mode="CRD"),
    "GridSample": one("GridSample", [draw(1, 5, 4, 2).clamp(-1.3, 1.3)], opset=16, align_corners=1),
    "Softmax of old files": one("Softmax", opset=11, axis=2),
    "Softmax over channels": one("Softmax", axis=1),
    "ReduceMean of some": one("ReduceMean", axes=[2, 3], keepdims=1),
    "ReduceSum": one("ReduceSum", [whole(1)], keepdims=0),
    **{kind: one(kind, axes=[-1], keepdims=1) for kind in ("ReduceMax", "ReduceMin", "ReduceProd", "ReduceL2")},
    "Cast and back": chain(("Cast", [], {"to": 7}), ("Cast", [], {"to": 1})),
    "Whole numbers divided": chain(
        ("Cast", [], {"to": 7}), ("Div", ["two"], {}), ("Cast", [], {"to": 1}), weights={"two": whole(2)}
    ),
    "Where": (
        {"x": X}, ["y"],
        [
            ("Greater", ["x", "zero"], ["a"], {}), ("Less", ["x", "one"], ["b"], {}), ("And", ["a", "b"], ["c"], {}),
            ("Equal", ["x", "one"], ["d"], {}), ("Or", ["c", "d"], ["e"], {}), ("Not", ["e"], ["f"], {}),
            ("Where", ["f", "x", "zero"], ["y"], {}),
        ],
        {"zero": torch.tensor(0.0), "one": torch.tensor(1.0)}, 13,
    ),
    "Constants": (
        {"x": X}, ["y"],
        [
            ("Constant", [], ["a"], {"value": draw(8)}), ("Constant", [], ["b"], {"value_float": 0.5}),
            ("Mul", ["x", "a"], ["c"], {}), ("Add", ["c", "b"], ["y"], {}),
        ],
        {}, 13,
    ),
    "A shape that is reckoned": (
        {"x": X}, ["y"],
        [
            ("Shape", ["x"], ["s"], {}), ("Slice", ["s", "two", "four"], ["t"], {}), ("Mul", ["t", "two"], ["u"], {}),
            ("Slice", ["s", "zero", "two"], ["v"], {}), ("Concat", ["v", "u"], ["w"], {"axis": 0}),
            ("Resize", ["x", "", "", "w"], ["r"], {"mode": "linear"}),
            ("ConstantOfShape", ["w"], ["c"], {"value": torch.tensor([0.25])}), ("Add", ["r", "c"], ["y"], {}),
        ],
        {"zero": whole(0), "two": whole(2), "four": whole(4)}, 13,
    ),
    "Range": (
        {"x": X}, ["y"],
        [("Range", ["a", "b", "c"], ["r"], {}), ("Cast", ["r"], ["f"], {"to": 1}), ("Mul", ["x", "f"], ["y"], {})],
        {"a": torch.tensor(0), "b": torch.tensor(16), "c": torch.tensor(2)}, 13,
    ),
    "A size by itself": (
        {"x": X}, ["y"],
        [
            ("Shape", ["x"], ["s"], {}), ("Gather", ["s", "i"], ["t"], {"axis": 0}),
            ("Unsqueeze", ["t", "zero"], ["u"], {}), ("Concat", ["u", "rest"], ["v"], {"axis": 0}),
            ("Reshape", ["x", "v"], ["y"], {}),
        ],
        {"i": torch.tensor(2), "zero": whole(0), "rest": whole(-1)}, 13,
    ),
    "ArgMax": chain(("ArgMax", [], {"axis": 1}), ("Cast", [], {"to": 1})),
    "ArgMin": chain(("ArgMin", [], {"axis": 3, "keepdims": 0}), ("Cast", [], {"to": 1})),
    "Einsum": one("Einsum", [draw(8, 5)], equation="bchw,wk->bkhc"),
    "GatherElements": one("GatherElements", [whole(*[[[[3, 0, -1]] * 6] * 4])], axis=3),
    "ScatterElements": one(
        "ScatterElements", [whole(*[[[[3, 0, -1]] * 6] * 4]), draw(1, 4, 6, 3)], axis=3
    ),
    "HardSigmoid": one("HardSigmoid", alpha=1 / 6),
    "HardSwish": one("HardSwish", opset=14),
    "Sign": one("Sign"),
    "TopK": (
        {"x": X}, ["y", "z"],
        [
            ("TopK", ["x", "two"], ["y", "places"], {"axis": 1}), ("Cast", ["places"], ["z"], {"to": 1}),
        ],
        {"two": whole(2)}, 13,
    ),
    "A code looked up": (
        # As CodeFormer and RestoreFormer read their codebooks: the nearest code, as a row of zeros and a one.
        {"x": [1, 7, 5]}, ["y"],
        [
            ("Softmax", ["x"], ["s"], {"axis": 2}), ("TopK", ["s", "one"], ["t", "i"], {"axis": 2}),
            ("Squeeze", ["i", "first"], ["j"], {}), ("ConstantOfShape", ["shape"], ["c"], {}),
            ("ScatterElements", ["c", "j", "ones"], ["h"], {"axis": 1}), ("MatMul", ["h", "book"], ["y"], {}),
        ],
        {"one": whole(1), "first": whole(0), "shape": whole(7, 5), "ones": torch.ones(7, 1), "book": draw(5, 3)}, 13,
    ),
    "At least and at most": (
        {"x": X}, ["y"],
        [
            ("GreaterOrEqual", ["x", "zero"], ["a"], {}), ("LessOrEqual", ["x", "one"], ["b"], {}),
            ("And", ["a", "b"], ["c"], {}), ("Where", ["c", "x", "zero"], ["y"], {}),
        ],
        {"zero": torch.tensor(0.0), "one": torch.tensor(1.0)}, 13,
    ),
    "Upsample": one("Upsample", [torch.tensor([1.0, 1.0, 2.0, 2.0])], opset=9, mode="nearest"),
    "Upsample linear": one("Upsample", [torch.tensor([1.0, 1.0, 2.0, 2.0])], opset=9, mode="linear"),
    "Resize 10": one("Resize", [torch.tensor([1.0, 1.0, 2.0, 2.0])], opset=10, mode="nearest"),
}  # fmt: skip
RESIZES = [
    (mode, places, scale)
    for mode in ("nearest", "linear", "cubic")
    for places in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
    for scale in (2.0, 0.5, 1.5)
]
CASES |= {
    f"Resize {mode} {places} {scale}": one(
        "Resize", [None, torch.tensor([1.0, 1.0, scale, scale])], mode=mode, coordinate_transformation_mode=places
    )
    for mode, places, scale in RESIZES
}
CASES |= {
    f"Resize {rounding}": one(
        "Resize", [None, torch.tensor([1.0, 1.0, 1.7, 0.6])], mode="nearest", nearest_mode=rounding,
        coordinate_transformation_mode="asymmetric",
    )
    for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
}  # fmt: skip


def written(path, case):
    inputs, outputs, nodes, weights, opset = case
    return write(path, inputs, {name: None for name in outputs}, nodes, weights, opset)


@pytest.mark.parametrize("name", CASES)
def test_an_operator_equals_onnxruntime(tmp_path, name):
    path = written(tmp_path / "a.onnx", CASES[name])
    x = draw(*CASES[name][0]["x"], seed=7) * 1.5
    network = read_network(path)
    assert isinstance(network.network, TorchNetwork)
    ours, theirs = network(x=x), by_onnxruntime(path, x=x)
    assert len(ours) == len(theirs)
    for one_output, other in zip(ours, theirs, strict=True):
        assert one_output.shape == other.shape and torch.allclose(one_output, other, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("file", ["fsanet-var-iter-688590.onnx", "yunet_s_640_640.onnx", "skin_clothes_hair_pan.onnx"])
def test_published_networks_equal_onnxruntime(shared_models, file):
    path = shared_models / file
    network = read_network(path)
    (value,) = network.inputs
    x = torch.rand(value.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert isinstance(network.network, TorchNetwork)
    for ours, theirs in zip(network(**{value.name: x}), by_onnxruntime(path, **{value.name: x}), strict=True):
        assert float((ours - theirs).abs().max()) < 1e-4 * max(1.0, float(theirs.abs().max()))


def test_every_operator_has_a_case():
    kinds = {node[0] for case in CASES.values() for node in case[2]}
    assert OPERATORS.keys() <= kinds


def test_half_precision_weights_are_read_as_floats(tmp_path):
    w = draw(5, 4, 3, 3).half()
    nodes = [("Cast", ["x"], ["h"], {"to": 10}), ("Conv", ["h", "w"], ["c"], {}), ("Cast", ["c"], ["y"], {"to": 1})]
    path = write(tmp_path / "a.onnx", {"x": X}, {"y": None}, nodes, {"w": w})
    x = draw(*X)
    assert torch.allclose(read_network(path)(x=x)[0], torch.conv2d(x, w.float()), atol=1e-5)
    assert torch.allclose(read_network(path)(x=x)[0], by_onnxruntime(path, x=x)[0], atol=0.05)


def test_values_that_are_not_raw_bytes_are_read_too(tmp_path):
    from onnx import TensorProto, helper

    def read(kind, values):
        tensor = helper.make_tensor("e", kind, [len(values)], values)
        value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "n", 3])
        graph = helper.make_graph([helper.make_node("Identity", ["x"], ["x2"])], "g", [value], [value], [tensor])
        onnx.save(helper.make_model(graph), str(tmp_path / "a.onnx"))
        return read_graph(tmp_path / "a.onnx")

    graph = read(TensorProto.FLOAT, [1.0, 2.5])
    assert graph.weights["e"].tolist() == [1, 2.5] and graph.inputs[0].shape == (1, "n", 3) and graph.inputs[0].floats
    for kind, values in (
        (TensorProto.INT64, [-1, 2**40]), (TensorProto.INT32, [-3, 4]), (TensorProto.DOUBLE, [0.5, -2.0]),
        (TensorProto.FLOAT16, [0.5, -2.0]), (TensorProto.BOOL, [True, False]),
    ):  # fmt: skip
        assert read(kind, values).weights["e"].tolist() == values


@pytest.mark.parametrize("content", [b"", b"no onnx at all, surely", b"\xff" * 40, b"\x3a\xff\xff\x03abc", b"\x08\x08"])
def test_bytes_that_are_not_onnx_are_told(tmp_path, content):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(ValueError, match="cut short or is not an ONNX file"):
        read_graph(tmp_path / "a.onnx")


def test_a_file_cut_short_anywhere_is_told(tmp_path):
    whole_file = written(tmp_path / "a.onnx", CASES["Conv"]).read_bytes()
    for end in range(1, len(whole_file), 37):
        (tmp_path / "b.onnx").write_bytes(whole_file[:end])
        with pytest.raises(ValueError, match=r"cut short|does not run"):
            read_network(tmp_path / "b.onnx")(x=draw(*X))


def test_unknown_operators_run_in_onnxruntime_or_are_named(tmp_path, monkeypatch):
    path = written(tmp_path / "a.onnx", chain(("Asinh", [], {}), ("Relu", [], {})))
    network = read_network(path)
    assert isinstance(network.network, RuntimeNetwork)
    assert torch.allclose(network(x=draw(*X))[0], draw(*X).asinh().relu(), atol=1e-6)

    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(onnx_network, "import_module", absent)
    with pytest.raises(ValueError, match=r"does not run by itself \(Asinh\); install the Python package onnxruntime"):
        read_network(path)


def test_an_operator_that_does_not_run_is_named(tmp_path):
    path = written(tmp_path / "a.onnx", one("Resize", [None, torch.tensor([1.0, 1.0, 2.0, 2.0])], opset=18, antialias=1,
                                            mode="linear"))  # fmt: skip
    with pytest.raises(ValueError, match=r"its operator Resize \('y'\) does not run: a Resize with antialias"):
        read_network(path)(x=draw(*X))
