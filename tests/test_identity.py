import pytest
import torch
from face_part_fusion.detectors.parts import Face, FaceParts
from face_part_fusion.injection import identity
from face_part_fusion.injection.identity import align_faces, find_recogniser, read_recogniser

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
        found = read_recogniser(tmp_path / "w600k_r50.onnx")(faces)
    assert found.shape == (2, 16, 7, 7)
    assert torch.allclose(found, torch.from_numpy(expected), atol=1e-4 * float(abs(expected).max()))


def test_tokens_are_the_maps_cells_row_by_row_of_the_aligned_face(tmp_path):
    write_iresnet(tmp_path / "net.onnx")
    network, picture = read_recogniser(tmp_path / "net.onnx"), torch.rand(112, 112, 3)
    with torch.no_grad():
        tokens = network.tokens(parts(picture, POINTS + 0.5))
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
    with pytest.raises(ValueError, match="w600k_r50.onnx or glintr100.onnx.*below .*models"):
        find_recogniser(tmp_path / "models")
    (tmp_path / "models" / "buffalo_l").mkdir(parents=True)
    path = tmp_path / "models" / "buffalo_l" / "w600k_r50.onnx"
    path.touch()
    assert find_recogniser(tmp_path / "models") == path


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

    monkeypatch.setattr(identity, "import_module", absent)
    with pytest.raises(ValueError, match="pip install onnx"):
        read_recogniser(tmp_path / "net.onnx")


def test_a_face_without_landmarks_cannot_be_aligned():
    with pytest.raises(ValueError, match="picture 1 has a face without landmarks"):
        align_faces(parts(torch.rand(9, 9, 3), torch.zeros(0, 2), ""))
