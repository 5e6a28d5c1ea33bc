"""The nets behind face parsing, with real onnxruntime and transformers on tiny models made here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from face_part_fusion.detectors.parsers import OnnxParser, TransformersParser, load_parser
from face_part_fusion.detectors.parsing import BISENET, Parser, class_names

RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def colours(size: int) -> torch.Tensor:
    """(1, 3, size, size): left third red, middle green, right blue."""
    crop = torch.zeros(1, 3, size, size)
    for i, colour in enumerate((RED, GREEN, BLUE)):
        columns = slice(i * size // 3, (i + 1) * size // 3 if i < 2 else size)
        crop[0, :, :, columns] = torch.tensor(colour)[:, None, None]
    return crop


def thirds(labels: torch.Tensor) -> list[int]:
    assert labels.dtype == torch.int64 and labels.ndim == 3 and labels.shape[0] == 1
    size = labels.shape[-1]
    return [int(labels[0, size // 2, round(size * share)]) for share in (0.15, 0.5, 0.85)]


@pytest.fixture
def make_onnx(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    h = onnx.helper

    def make(sides=(64, 64), last=False, output="scores", half=False, batch=1, classes=19, folder=tmp_path) -> Path:
        """Class 17 sees red, class 1 green, class 10 blue; 4 times fewer pixels, like a real one."""
        kind = onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT
        weight = np.zeros((classes, 3, 1, 1), np.float16 if half else np.float32)
        for number, channel in ((17, 0), (1, 1), (10, 2)):
            weight[number, channel] = 1
        shape = [batch, *sides, 3] if last else [batch, 3, *sides]
        nodes = [h.make_node("Transpose", ["input"], ["first"], perm=[0, 3, 1, 2])] if last else []
        start = "first" if last else "input"
        nodes += [
            h.make_node("AveragePool", [start], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
            h.make_node("Constant", [], ["weight"], value=onnx.numpy_helper.from_array(weight, "w")),
            h.make_node("Conv", ["small", "weight"], ["scores"]),
            h.make_node("Transpose", ["scores"], ["scores last"], perm=[0, 2, 3, 1]),
            h.make_node("ArgMax", ["scores"], ["map"], axis=1, keepdims=0),
            h.make_node("ArgMax", ["scores"], ["map 4d"], axis=1, keepdims=1),
            h.make_node("ReduceMean", ["scores"], ["mean"], axes=[2, 3], keepdims=0),
        ]
        out = h.make_tensor_value_info(output, onnx.TensorProto.INT64 if "map" in output else kind, None)
        graph = h.make_graph(nodes, "tiny", [h.make_tensor_value_info("input", kind, shape)], [out])
        file = folder / "parser.onnx"
        onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8), file)
        return file

    return make


@pytest.mark.parametrize(("options", "size"), [
    ({}, 64),
    ({"sides": ("h", "w")}, 512),
    ({"sides": (64, 96)}, 96),
    ({"last": True}, 64),
    ({"last": True, "output": "scores last"}, 64),
    ({"output": "map"}, 64),
    ({"output": "map 4d"}, 64),
    ({"half": True, "batch": "n"}, 64),
])  # fmt: skip
def test_an_onnx_file_is_fed_as_its_graph_says(make_onnx, options: dict, size: int) -> None:
    parser = load_parser(make_onnx(**options))
    assert isinstance(parser, OnnxParser) and parser.size == size and parser.names == BISENET
    labels = parser(colours(size))
    assert labels.shape == (1, size, size)
    assert thirds(labels) == [17, 1, 10]


def test_an_onnx_file_sees_imagenets_normalisation(make_onnx) -> None:
    """In a picture of even grey the channels differ only by their means: red, with the least mean left, wins."""
    parser = load_parser(make_onnx())
    even = torch.full((1, 3, 64, 64), 0.45)
    # (0.45 - mean) / deviation: red -0.153, green -0.027, blue 0.196.
    assert thirds(parser(even)) == [10, 10, 10]
    red = even.clone()
    red[:, 0] = 0.485 + 0.229 * 0.25
    assert thirds(parser(red)) == [17, 17, 17]


@pytest.mark.parametrize("deep", [False, True])
def test_a_config_beside_the_onnx_file_names_its_classes(make_onnx, tmp_path: Path, deep: bool) -> None:
    folder = tmp_path / "onnx" if deep else tmp_path
    folder.mkdir(exist_ok=True)
    order = list(BISENET)
    order[17], order[1] = "eye_g", "hair"
    order[6] = "skin"
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {str(i): n for i, n in enumerate(order)}}))
    parser = load_parser(make_onnx(folder=folder))
    names = [parser.names[i] for i in thirds(parser(colours(64)))]
    assert names == ["glasses", "hair", "nose"]


def test_scores_for_other_classes_are_refused_with_both_counts(make_onnx) -> None:
    with pytest.raises(ValueError, match=r"parser.onnx gives .* shape \(1, 20, 16, 16\); needed are .*19.*id2label"):
        load_parser(make_onnx(classes=20))(colours(64))
    with pytest.raises(ValueError, match=r"shape \(1, 19\); needed are"):
        load_parser(make_onnx(output="mean"))(colours(64))


def test_files_that_are_no_parser_are_named(make_onnx, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere.onnx does not exist; needed is an .onnx file or the folder"):
        load_parser(tmp_path / "nowhere.onnx")
    (tmp_path / "79999_iter.pth").write_bytes(b"pickle")
    with pytest.raises(ValueError, match="79999_iter.pth is not an .onnx file"):
        load_parser(tmp_path / "79999_iter.pth")
    (tmp_path / "broken.onnx").write_bytes(b"<html>")
    with pytest.raises(ValueError, match="onnxruntime cannot read .*broken.onnx"):
        load_parser(tmp_path / "broken.onnx")


def test_a_graph_with_another_input_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    h = onnx.helper
    given = h.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 512])
    out = h.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = h.make_graph([h.make_node("Relu", ["x"], ["y"])], "g", [given], [out])
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8), tmp_path / "embed.onnx")
    with pytest.raises(ValueError, match=r"embed.onnx takes 1 input.*tensor.float. \[1, 512\]; a face parser takes"):
        load_parser(tmp_path / "embed.onnx")


SEGFORMER = (
    "background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip",
    "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth",
)  # fmt: skip


@pytest.fixture(scope="module")
def segformer(tmp_path_factory):
    """A model folder with a tiny random SegFormer and its image processor, as `transformers` saves them."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("face-parsing")
    torch.manual_seed(0)
    config = transformers.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], num_attention_heads=[1, 2],
        patch_sizes=[7, 3], strides=[4, 2], mlp_ratios=[2, 2], decoder_hidden_size=16,
        id2label=dict(enumerate(SEGFORMER)), label2id={n: i for i, n in enumerate(SEGFORMER)},
    )  # fmt: skip
    model = transformers.SegformerForSemanticSegmentation(config).eval()
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "SegformerImageProcessor", "do_resize": True, "size": {"height": 128, "width": 128},
        "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "do_reduce_labels": False,
        "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 2,
    }))  # fmt: skip
    return folder, model


def test_a_model_folder_is_read_by_its_own_labels_and_processor(segformer) -> None:
    folder, model = segformer
    parser = load_parser(folder)
    assert isinstance(parser, TransformersParser) and parser.names == class_names(SEGFORMER) and parser.size == 512
    crop = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)).repeat_interleave(32, 2)
    crop = (crop.repeat_interleave(32, 3) * 255).round() / 255
    labels = parser(crop)
    # By hand: 32 x 32 flat squares survive the resizing to 128 x 128 as 8 x 8 squares, but for their edges.
    small = torch.nn.functional.interpolate(crop, (128, 128), mode="bilinear", antialias=True)
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
    fed = (small - mean) / deviation
    with torch.no_grad():
        scores = model(pixel_values=fed).logits
    wanted = torch.nn.functional.interpolate(scores, (512, 512), mode="bilinear").argmax(1)
    assert labels.shape == (1, 512, 512) and len(labels.unique()) > 1
    assert (labels == wanted).float().mean() > 0.97


def test_a_folder_that_lacks_a_file_says_which_belong_there(segformer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must hold config.json with id2label, model.safetensors and preprocessor"):
        load_parser(tmp_path)
    source, _ = segformer
    for file in source.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(ValueError, match="cannot be read: .*Copy it anew, or wire in masks of hair"):
        load_parser(tmp_path)


def test_a_model_that_parses_no_faces_is_refused(segformer, tmp_path: Path) -> None:
    source, _ = segformer
    for file in source.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config["id2label"] = {str(i): n for i, n in enumerate(["wall", "sky"])}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="names its classes wall, sky, which are not classes of a face"):
        load_parser(tmp_path)


@pytest.mark.parametrize("package", ["onnxruntime", "transformers"])
def test_without_its_package_the_error_names_it_and_the_alternatives(monkeypatch, tmp_path, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "parser.onnx").write_bytes(b"")
    path = tmp_path / "parser.onnx" if package == "onnxruntime" else tmp_path
    words = f"needs the Python package {package}.*pip install {package}, use .*wire in masks"
    with pytest.raises(ValueError, match=words):
        load_parser(path)


def test_both_kinds_fit_the_parser_that_parsing_asks_for(segformer, make_onnx) -> None:
    for parser in (load_parser(segformer[0]), load_parser(make_onnx())):
        typed: Parser = parser
        assert typed(torch.rand(1, 3, typed.size, typed.size)).shape == (1, typed.size, typed.size)
