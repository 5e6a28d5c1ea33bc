"""Runs the real FaceAnalysis on tiny ONNX files with the inputs and outputs of det_10g and 2d106det."""

import sys

import numpy as np
import pytest
import torch
from face_part_fusion.detectors.insight import InsightDetector

SIDE = 64


@pytest.fixture
def make_pack(tmp_path):
    pytest.importorskip("insightface", reason="needs pip install insightface onnxruntime")
    onnx = pytest.importorskip("onnx")
    h = onnx.helper

    def save(nodes, shape, outputs, path):
        source = h.make_tensor_value_info("input", onnx.TensorProto.FLOAT, shape)
        outs = [h.make_tensor_value_info(name, onnx.TensorProto.FLOAT, size) for name, size in outputs]
        graph = h.make_graph(nodes, "tiny", [source], outs)
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8), path)

    def constant(name, values):
        tensor = onnx.numpy_helper.from_array(np.asarray(values, dtype=np.float32), name)
        return h.make_node("Constant", [], [name], value=tensor)

    def detector(path, points=True):
        """One anchor per 32 pixels fires where red is well above blue; its box is 32 pixels wide around it."""
        weight = np.zeros((2, 3, 1, 1))
        weight[0, :, 0, 0] = 0.45, 0, -0.45
        nodes = [
            h.make_node("AveragePool", ["input"], ["pooled"], kernel_shape=[32, 32], strides=[32, 32]),
            constant("weight", weight),
            h.make_node("Conv", ["pooled", "weight"], ["mixed"]),
            h.make_node("Transpose", ["mixed"], ["last"], perm=[0, 2, 3, 1]),
            h.make_node("Constant", [], ["shape"], value=h.make_tensor("s", onnx.TensorProto.INT64, [2], [-1, 1])),
            h.make_node("Reshape", ["last", "shape"], ["score32"]),
        ]
        outputs = []
        for kind, columns in (("score", 1), ("box", 4), ("points", 10))[: 3 if points else 2]:
            for stride in (8, 16, 32):
                name, rows = f"{kind}{stride}", 2 * (SIDE // stride) ** 2
                if name != "score32":
                    fill = {"score": [0], "box": [0.5] * 4, "points": np.linspace(-0.4, 0.5, 10)}[kind]
                    nodes.append(constant(name, np.tile(fill, (rows, 1))))
                outputs.append((name, [rows, columns]))
        save(nodes, [1, 3, SIDE, SIDE], outputs, path)

    def landmarks(path):
        save([constant("out", np.linspace(-1, 1, 212)[None])], [1, 3, 192, 192], [("out", [1, 212])], path)

    def pack(name="buffalo_l", deep="", points=True, dense=True, detection=True):
        folder = tmp_path / "models" / name / deep
        folder.mkdir(parents=True)
        if detection:
            detector(folder / "det_10g.onnx", points)
        if dense:
            landmarks(folder / "2d106det.onnx")
        return folder

    return pack


def load(tmp_path, name="buffalo_l"):
    return InsightDetector(name, str(tmp_path), ["CPUExecutionProvider"])


def a_face(colour=(1.0, 0.0, 0.0)):
    """A picture whose lower right quarter has that colour; the tiny detector's anchor of it lies at 32, 32."""
    picture = torch.zeros(SIDE, SIDE, 3)
    picture[SIDE // 2 :, SIDE // 2 :] = torch.tensor(colour)
    return picture


def test_a_batch_gives_faces_with_106_points_and_keeps_pictures_without_a_face(make_pack, tmp_path):
    make_pack()
    empty, (face,) = load(tmp_path)(torch.stack([torch.zeros(SIDE, SIDE, 3), a_face()]), 0.5)
    assert empty == () and face.box == pytest.approx((16, 16, 48, 48)) and 0.8 < face.score < 1
    assert face.scheme == "insightface106" and face.landmarks.shape == (106, 2) and not face.regions
    # The landmark model sees 1.5 times the longer side of the box, centred on it, as -1..1.
    expected = 32 + torch.linspace(-1, 1, 212).reshape(106, 2) * 0.75 * 32
    assert torch.allclose(face.landmarks, expected, atol=0.05)


def test_colours_reach_the_model_in_the_right_order(make_pack, tmp_path):
    make_pack()
    detector = load(tmp_path)
    assert detector(a_face((0.0, 0.0, 1.0))[None], 0.3) == ((),)
    assert len(detector(a_face((1.0, 0.0, 0.0))[None], 0.3)[0]) == 1


def test_a_pack_without_the_106_point_model_gives_five_points(make_pack, tmp_path):
    make_pack(dense=False)
    ((face,),) = load(tmp_path)(a_face()[None], 0.5)
    assert face.scheme == "five"
    assert torch.allclose(face.landmarks, 32 + 32 * torch.linspace(-0.4, 0.5, 10).reshape(5, 2), atol=1e-3)


def test_a_detector_without_any_points_gives_boxes(make_pack, tmp_path):
    make_pack(dense=False, points=False)
    ((face,),) = load(tmp_path)(a_face()[None], 0.5)
    assert face.scheme == "" and len(face.landmarks) == 0


def test_the_threshold_can_change_from_call_to_call(make_pack, tmp_path):
    make_pack()
    detector = load(tmp_path)
    assert [len(detector(a_face()[None], threshold)[0]) for threshold in (0.5, 0.95, 0.5)] == [1, 0, 1]


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (200, 90)])
def test_tiny_and_oblong_pictures_have_no_face(make_pack, tmp_path, size):
    make_pack()
    assert load(tmp_path)(torch.zeros(2, *size, 3), 0.5) == ((), ())


def test_a_missing_folder_is_refused_with_its_files_and_the_alternative_and_not_created(make_pack, tmp_path):
    with pytest.raises(ValueError, match=r"models.buffalo_l does not exist.*det_10g.*2d106det.*'built-in'"):
        load(tmp_path)
    assert not (tmp_path / "models").exists()


def test_a_folder_without_models_says_so(make_pack, tmp_path):
    make_pack(detection=False, dense=False)
    with pytest.raises(ValueError, match="has no .onnx file"):
        load(tmp_path)


def test_models_one_folder_too_deep_are_refused_with_the_right_folder(make_pack, tmp_path):
    make_pack("antelopev2", "antelopev2")
    with pytest.raises(ValueError, match=r"one folder too deep, in .*antelopev2.antelopev2"):
        load(tmp_path, "antelopev2")


def test_a_pack_without_a_detection_model_says_so(make_pack, tmp_path):
    make_pack(detection=False)
    with pytest.raises(ValueError, match="holds no detection model"):
        load(tmp_path)


def test_a_corrupt_model_file_is_named_by_its_folder(make_pack, tmp_path):
    (make_pack() / "det_10g.onnx").write_bytes(b"<html>not a model</html>")
    with pytest.raises(ValueError, match="InsightFace could not load .*buffalo_l"):
        load(tmp_path)


def test_without_the_package_the_error_names_it_its_terms_and_the_alternative(monkeypatch, tmp_path):
    for name in [n for n in sys.modules if n.partition(".")[0] == "insightface"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "insightface", None)
    with pytest.raises(ValueError, match="pip install insightface onnxruntime.*non-commercial.*'built-in'"):
        load(tmp_path)
