import os
import re

import pytest
import torch
from face_part_fusion.detectors.parts import Face, FaceParts
from face_part_fusion.injection.faces import iresnet_onnx
from face_part_fusion.injection.faces.identity import (
    align_faces,
    find_recogniser,
    identity_tokens,
    read_recogniser,
    recogniser_name,
)
from face_part_fusion.injection.faces.iresnet import DEPTHS, IResNet
from safetensors.torch import save_file
from support.network_weights import IRESNETS, filled, iresnet_shapes, plain_iresnet
from torch import nn

onnx = pytest.importorskip("onnx")
POINTS = torch.tensor(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


def parts(picture, points=POINTS, scheme="five"):
    face = Face((0, 0, 112, 112), 1.0, points, scheme)
    return FaceParts(picture[None], ((face,),), (0,))


def write_iresnet(path, flat=True):
    """Four stages of ArcFace's blocks, narrow, with random weights: 112 pixels -> 7 x 7 x 16 -> a vector of 8."""
    from onnx import TensorProto, helper, numpy_helper

    generator = torch.Generator().manual_seed(0)
    nodes, weights = [], []

    def weight(*shape, low=0.0):
        name = f"p{len(weights)}"
        values = torch.randn(shape, generator=generator) * 0.3
        weights.append(numpy_helper.from_array((values.abs() + low if low else values).numpy(), name))
        return name

    def add(kind, inputs, **options):
        name = f"v{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [name], **options))
        return name

    def normed(x, c):
        return add("BatchNormalization", [x, weight(c), weight(c), weight(c), weight(c, low=0.5)], epsilon=2e-5)

    def conv(x, a, b, stride=1, size=3):
        pad = [size // 2] * 4
        return add("Conv", [x, weight(b, a, size, size), weight(b)], kernel_shape=[size, size], pads=pad,
                   strides=[stride, stride], group=1, dilations=[1, 1])  # fmt: skip

    x, width = add("PRelu", [conv("input", 3, 4), weight(4, 1, 1)]), 4
    for wider in (4, 8, 8, 16):
        y = conv(normed(x, width), width, wider)
        y = conv(add("PRelu", [y, weight(wider, 1, 1)]), wider, wider, 2)
        x, width = add("Add", [y, conv(x, width, wider, 2, 1)]), wider
    x = normed(x, width)
    cut = x
    if flat:
        x = add("Flatten", [x], axis=1)
        x = add("Gemm", [x, weight(8, 49 * 16), weight(8)], transB=1)
    shapes = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 112, 112])]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in dict.fromkeys([x, cut])]
    graph = helper.make_graph(nodes, "iresnet", shapes, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7), str(path))
    return cut


def test_the_cut_network_gives_the_last_map_that_onnxruntime_gives(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    cut = write_iresnet(tmp_path / "w600k_r50.onnx")
    faces = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(1)) * 2 - 1
    session = runtime.InferenceSession(str(tmp_path / "w600k_r50.onnx"), providers=["CPUExecutionProvider"])
    (expected,) = session.run([cut], {"input": faces.numpy()})
    with torch.no_grad():
        features = read_recogniser(tmp_path / "w600k_r50.onnx")(faces)
    assert features.shape == (2, 16, 7, 7)
    assert torch.allclose(features, torch.from_numpy(expected), atol=1e-4 * float(abs(expected).max()))


def test_tokens_are_the_maps_cells_row_by_row_of_the_aligned_face(tmp_path):
    write_iresnet(tmp_path / "net.onnx")
    network, picture = read_recogniser(tmp_path / "net.onnx"), torch.rand(112, 112, 3)
    with torch.no_grad():
        tokens = identity_tokens(network, parts(picture, POINTS + 0.5))
        whole = network(picture.movedim(-1, 0)[None] * 2 - 1)
    assert tokens.shape == (1, 49, 16)
    near = 1e-2 * float(whole.abs().max())
    for row, column in ((0, 0), (2, 5), (6, 6)):
        assert torch.allclose(tokens[0, 7 * row + column], whole[0, :, row, column], atol=near)


def test_alignment_lays_the_five_points_over_arcfaces_template():
    ys, xs = torch.meshgrid(torch.arange(300) + 0.5, torch.arange(300) + 0.5, indexing="ij")
    picture = torch.stack([xs, ys, xs * 0], -1) / 300
    points = (POINTS + 0.5) @ torch.tensor([[1.6, 0.5], [-0.5, 1.6]]) + torch.tensor([60.0, 20])
    aligned = align_faces(parts(picture, points))[0]
    for (x, y), (at_x, at_y) in zip(POINTS.round().long().tolist(), points.tolist(), strict=True):
        assert aligned[y, x, :2].tolist() == pytest.approx([at_x / 300, at_y / 300], abs=1.5 / 300)


def test_a_recogniser_is_found_in_any_pack_and_its_absence_names_files_and_folder(tmp_path):
    with pytest.raises(ValueError, match="w600k_r50.onnx or glintr100.onnx.*backbone.pth.*below .*models"):
        find_recogniser(tmp_path / "models")
    # From the last choice to the first: a user who puts arcface_torch's weights there means them.
    for pack, name in (("a", "glintr100.onnx"), ("buffalo_l", "w600k_r50.onnx"), ("arcface", "backbone.pth")):
        (tmp_path / "models" / pack).mkdir(parents=True)
        path = tmp_path / "models" / pack / name
        path.touch()
        assert find_recogniser(tmp_path / "models") == path


def test_a_recogniser_is_found_where_an_archive_unpacks_into_a_folder_of_its_own_name(tmp_path):
    folder = tmp_path / "antelopev2" / "antelopev2"
    folder.mkdir(parents=True)
    (folder / "glintr100.onnx").touch()
    assert find_recogniser(tmp_path) == folder / "glintr100.onnx"


@pytest.mark.parametrize(("name", "count"), [("r50", 30_744_256), ("r100", 52_309_568)])
def test_sizes_are_those_of_the_docstring(name, count):
    with torch.device("meta"):
        network = IResNet(DEPTHS[name])
        assert network(torch.zeros(1, 3, 112, 112)).shape == (1, 512, 7, 7)
    assert sum(weight.numel() for weight in network.parameters()) == count
    assert f"{count:,}" in IResNet.__doc__ and f"{4 * count / 1e6:.0f} MB" in IResNet.__doc__


def test_the_name_of_a_recogniser_tells_its_weights_and_not_its_file(tmp_path):
    shapes = iresnet_shapes(IRESNETS["r18"], 8)
    one, other = filled(shapes, 1), filled(shapes, 2)
    names = []
    for file, weights in (("backbone.pth", one), ("copy.pt", one), ("other.pth", other)):
        torch.save(weights, tmp_path / file)
        names.append(recogniser_name(read_recogniser(tmp_path / file)))
    assert names[0] == names[1] != names[2] and re.fullmatch(r"ArcFace iresnet [0-9a-f]{8}", names[0])


def test_files_that_are_no_recogniser_are_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no file .*net.onnx.*insightface"):
        read_recogniser(tmp_path / "net.onnx")
    (tmp_path / "net.onnx").write_bytes(b"no model at all")
    with pytest.raises(ValueError, match="cannot be read as ONNX|no last map"):
        read_recogniser(tmp_path / "net.onnx")
    node = onnx.helper.make_node("Flatten", ["input"], ["out"])
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([node], "flat", [value("input", 1, [1, 3, 112, 112])], [value("out", 1, None)])
    onnx.save(onnx.helper.make_model(graph), str(tmp_path / "net.onnx"))
    with pytest.raises(ValueError, match="no last map of 7 x 7"):
        read_recogniser(tmp_path / "net.onnx")


def test_without_the_package_the_error_names_it(tmp_path, monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(iresnet_onnx, "import_module", absent)
    (tmp_path / "net.onnx").touch()
    with pytest.raises(ValueError, match="pip install onnx"):
        read_recogniser(tmp_path / "net.onnx")


def test_a_face_without_landmarks_cannot_be_aligned():
    with pytest.raises(ValueError, match="picture 1 has a face without landmarks"):
        align_faces(parts(torch.rand(9, 9, 3), torch.zeros(0, 2), ""))


# The same network in torch


@pytest.fixture(scope="module")
def published():
    return filled(iresnet_shapes(IRESNETS["r18"]))


def faces(count=2):
    return torch.rand(count, 3, 112, 112, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("name", ["backbone.pth", "backbone.pt", "backbone.safetensors"])
def test_arcface_torchs_weights_give_the_map_of_a_plain_computation(tmp_path, published, name):
    save = save_file if name.endswith(".safetensors") else torch.save
    save(published, tmp_path / name)
    with torch.no_grad():
        features = read_recogniser(tmp_path / name)(faces())
    expected = plain_iresnet(published, faces(), IRESNETS["r18"])
    assert features.shape == (2, 512, 7, 7)
    assert torch.allclose(features, expected, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.filterwarnings("ignore")
def test_its_onnx_export_cut_gives_the_same_tokens(tmp_path, published):
    torch.save(published, tmp_path / "backbone.pth")
    network = read_recogniser(tmp_path / "backbone.pth")
    whole = nn.Sequential(network, nn.Flatten(), nn.Dropout(), nn.Linear(25088, 8), nn.BatchNorm1d(8)).eval()
    torch.onnx.export(whole, (faces(1),), str(tmp_path / "net.onnx"), dynamo=False, input_names=["input"])
    person = parts(torch.rand(130, 140, 3, generator=torch.Generator().manual_seed(2)), POINTS + 9)
    with torch.no_grad():
        ours, cut = (identity_tokens(n, person) for n in (network, read_recogniser(tmp_path / "net.onnx")))
    assert ours.shape == (1, 49, 512) and float(ours.std()) > 0.1
    assert torch.allclose(ours, cut, atol=1e-4)


@pytest.mark.parametrize("name", IRESNETS)
def test_names_and_shapes_of_every_published_depth_are_known(name):
    with torch.device("meta"):
        ours = {key: tuple(w.shape) for key, w in IResNet(DEPTHS[name]).state_dict().items()}
    theirs = iresnet_shapes(IRESNETS[name])
    assert ours == {key: shape for key, shape in theirs.items() if not key.startswith(("fc.", "features."))}


def test_half_precision_and_files_without_counters_are_read(tmp_path, published):
    halves = {k: w.half() for k, w in published.items() if not k.endswith("num_batches_tracked")}
    torch.save(halves, tmp_path / "backbone.pth")
    with torch.no_grad():
        features = read_recogniser(tmp_path / "backbone.pth")(faces(1))
        expected = plain_iresnet({k: w.float() for k, w in halves.items()}, faces(1), IRESNETS["r18"])
    assert features.dtype == torch.float32
    assert torch.allclose(features, expected, atol=1e-5 * float(expected.abs().max()))


def without(*keys):
    return lambda weights: {k: w for k, w in weights.items() if not k.startswith(keys)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("bn2.bias"), r"\(150 tensors\): 1 missing \(bn2.bias\)"),
        (without("layer3.1."), r": blocks in its stages are \(2, 2, 1, 2\), known are r18 \(2, 2, 2, 2\)"),
        (without("layer", "conv"), r": blocks in its stages are \(0, 0, 0, 0\)"),
        (lambda w: w | {"head.weight": torch.ones(2)}, r"\(150 tensors\): 1 unknown \(head.weight\)"),
        (lambda w: w | {"conv1.weight": torch.ones(64, 3, 7, 7)}, r".*\(conv1.weight is \(64, 3, 7, 7\), needed"),
        (lambda w: w | {"bn1.bias": torch.ones(64).int()}, r".*: bn1.bias is of type torch.int32, needed is float32"),
        (lambda w: w | {"bn1.bias": torch.full((64,), float("nan"))}, r".*: bn1.bias holds values that are not finite"),
        (lambda w: [torch.ones(1)], r": blocks in its stages are \(0, 0, 0, 0\)"),
    ],
)
def test_weights_of_another_network_are_refused_with_what_is_wrong(tmp_path, published, change, message):
    torch.save(change(published), tmp_path / "backbone.pth")
    with pytest.raises(ValueError, match=rf"backbone.pth does not hold an ArcFace iresnet ?{message}.*; take a back"):
        read_recogniser(tmp_path / "backbone.pth")


class Command:
    """A pickle of this runs a command when it is read carelessly."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_files_that_are_unsafe_cut_short_or_of_another_kind_are_refused(tmp_path, published):
    path = tmp_path / "backbone.pth"
    torch.save({"a": Command(f"touch {tmp_path / 'ran'}")}, path)
    with pytest.raises(ValueError, match="holds more than weights.*nothing in it was run; take a backbone.pth"):
        read_recogniser(path)
    assert not (tmp_path / "ran").exists()
    torch.save(published, path)
    path.write_bytes(path.read_bytes()[: 10**6])
    with pytest.raises(ValueError, match="cut short or damaged"):
        read_recogniser(path)
    os.replace(path, tmp_path / "backbone.bin.txt")
    with pytest.raises(ValueError, match="is not a recogniser's file; take w600k_r50.onnx"):
        read_recogniser(tmp_path / "backbone.bin.txt")
