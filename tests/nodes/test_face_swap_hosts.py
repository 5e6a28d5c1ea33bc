"""The face swap's nodes in real hosts, with random weights in the published layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.hosts import Host
from support.measured import measure, usable_hosts
from support.onnx_swappers import recogniser_file, restorer_file, swapper_file


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    pytest.importorskip("onnx", reason="onnx writes the swappers of this test; pip install '.[test]'")
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    host: Host = request.param
    base: Path = tmp_path_factory.mktemp("swaps")
    Image.fromarray(data.astronaut()).save(base / "photo.png")
    # Hosts have neither onnx nor onnxruntime: the files are written here and laid into place there.
    for kind in ("inswapper", "BlendSwap"):
        swapper_file(base / f"{kind}.onnx", kind)
    recogniser_file(base / "w600k_r50.onnx")
    restorer_file(base / "codeformer.onnx", 256, fidelity=True)
    return measure(host, "face_swap.py", base, str(base / "photo.png"))


def test_files_are_listed_by_what_they_are(figures: dict[str, Any]):
    assert figures["listed"]["swapper"] == ["G_mouth1_st5.pth", "inswapper_128.onnx"]
    assert figures["listed"]["fixer_net"] == ["in the swapper's file", "fixer_net_casia_28_56_84_112.pth"]
    assert figures["models"] == 1


def test_a_person_is_encoded_saved_and_loaded(figures: dict[str, Any]):
    assert figures["width"] == [640] and figures["thumbnail"] == [1, 128, 128, 3]
    assert figures["report"].startswith("one person from 2 photographs") and "anna.safetensors" in figures["report"]
    assert "anna.safetensors" in figures["saved names"] and figures["the same"] == 0


def test_onnx_swappers_run_on_the_hosts_device_without_a_package(figures: dict[str, Any]):
    for kind, provider in (("inswapper", "ArcFace ONNX"), ("BlendSwap", "with a picture of 112 pixels")):
        one = figures["onnx"][kind]
        assert provider in one["provider"] and one["models"] == 1 and one["report"].startswith("1 face changed")
        assert one["outside"] == 0 and one["inside"] > 0.005 and one["boosted"] > 0.005


def test_faces_are_restored_by_a_file_and_by_an_upscale_model(figures: dict[str, Any]):
    assert figures["restorers"] == ["upscale_model", "codeformer.onnx"]
    for name, words in (("file", "by codeformer.onnx"), ("model", "by the upscale model")):
        one = figures["restored"][name]
        assert one["report"].startswith(f"1 face restored {words}")
        assert one["outside"] == 0 and one["inside"] > 0.005 and 0.05 < one["changed"] < 0.6
    assert figures["restored"]["true"]["inside"] < 0.5 * figures["restored"]["file"]["inside"]


def test_the_face_changes_and_the_rest_stays(figures: dict[str, Any]):
    assert figures["image"] == [1, 192, 192, 3] and 0.05 < figures["changed"] < 0.6 and figures["outside"] == 0
    assert figures["inside"] > 0.01 and 0.01 < figures["half"] < 0.8 * figures["changed"]
    assert figures["swap report"].startswith("1 face changed") and figures["preview"][1] > 192
    assert figures["alike"].startswith("1 of 1 faces look like the reference (likeness")
    assert figures["empty"] == [0.0, "left as it was: it has no chosen face"]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("no file", ("no face swapper was found", "G_mouth1_t38_post.pth", "models/face_swap", "non-commercial")),
        ("another name", ("'gone.pth', which is not there", "inswapper_128.onnx")),
        ("no fixer", ("fixer_net names 'fixer_net_casia_28_56_84_112.pth', which is not there",)),
        ("no recogniser", ("without the face recogniser", "backbone.pth of arcface_torch", "non-commercial")),
        ("another swapper", ("identity was made by ArcFace iresnet", "640 values", "512 values")),
        ("saved for another", ("saved ('anna.safetensors') was made by ArcFace iresnet",)),
        ("nothing", ("neither is given",)),
        ("both", ("both are given",)),
        ("nobody", ("photograph0: no photograph has a face",)),
        ("a path", ("save_as is '../anna'", "without folders")),
        ("onnx", ("inswapper_128.onnx is cut short or is not an ONNX file",)),
        ("no ArcFace", ("(inswapper) takes identities by w600k_r50.onnx, which was not found", "buffalo_l")),
        ("no restorer", ("neither is given", "Load Upscale Model")),
        ("both restorers", ("both are given",)),
        ("restorer gone", ("restorer names 'gone.onnx'", "models/facerestore_models")),
        ("no reference", ("no reference is wired in",)),
        ("strength", ("strength is 2.0",)),
    ],
)
def test_what_is_missing_or_wrong_is_said(figures: dict[str, Any], case: str, words: tuple[str, ...]):
    message = figures["errors"][case]
    assert not [word for word in words if word not in message.replace("\\", "/")], message
