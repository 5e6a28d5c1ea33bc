"""Runs with unchanged inputs come from the host's cache, and a file that changed on disk makes its node run again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.host_graphs import detect
from support.hosts import Server
from support.measured import measure, usable_hosts

PHOTO = "cached.png"
# In the order of a model's own labels, by number.
LABELS = ("background", "skin", "nose", "hair", "l_eye", "r_eye", "mouth", "neck")


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(request.param, "fingerprints.py", tmp_path_factory.mktemp("fingerprints"))


def test_the_host_sees_no_change_where_there_is_none(figures: dict[str, Any]):
    for name, found in figures["readers"].items():
        # "nan" is how the host notes a fingerprint that failed; the node would then run every time.
        assert found["before"] == found["again"] and "nan" not in found["before"].lower(), f"{name}: {found}"


def test_the_host_sees_every_file_that_changes(figures: dict[str, Any]):
    for name, found in figures["readers"].items():
        missed = [file for file, changed in zip(found["files"], found["changed"], strict=True) if not changed]
        assert missed == [], f"{name} would not run again after a change of {missed}"


def test_a_file_that_is_missing_is_the_nodes_to_say(figures: dict[str, Any]):
    assert "nan" not in figures["missing"].lower()


@pytest.fixture
def parser(server: Server) -> Iterator[Path]:
    """The folder of a model of FaceParse."""
    folder = server.base / "models" / "face_parsing" / "tiny"
    write_parser(folder, seed=0)
    yield folder
    shutil.rmtree(folder)


def write_parser(folder: Path, seed: int) -> None:
    """A tiny random SegFormer as `transformers` saves it."""
    transformers = pytest.importorskip("transformers")
    import torch

    torch.manual_seed(seed)
    config = transformers.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], num_attention_heads=[1, 2],
        patch_sizes=[7, 3], strides=[4, 2], mlp_ratios=[2, 2], decoder_hidden_size=16,
        id2label=dict(enumerate(LABELS)), label2id={label: i for i, label in enumerate(LABELS)},
    )  # fmt: skip
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "SegformerImageProcessor", "size": {"height": 128, "width": 128},
        "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
    }))  # fmt: skip


def graph() -> dict[str, Any]:
    chain = {
        "load": ("LoadImage", {"image": PHOTO}),
        "parse": (
            "FaceParse", {"parts": ["find", 0], "model": "tiny", "replace": "all", "padding": 0.25},
        ),
        "crop": ("FPFFaceCropAlign", {"parts": ["parse", 0], "size": 256, "align": "upright", "padding": 0.5}),
        "save": ("PreviewImage", {"images": ["parse", 1]}),
        "save crop": ("MarkEdited", {
            "images": ["crop", 0], "filename_prefix": "crop", "format": "png", "quality": 95, "mark": True, "note": "",
        }),
    }  # fmt: skip
    nodes = {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in chain.items()}
    return nodes | {"find": detect("load")}


def cached(history: dict[str, Any]) -> set[str]:
    """The nodes that the host did not run."""
    assert history["status"]["status_str"] == "success", history["status"]
    return set(dict(history["status"]["messages"])["execution_cached"]["nodes"])


def test_only_what_changed_runs_again(server: Server, parser: Path):
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    photo, nodes = server.base / "input" / PHOTO, set(graph())
    Image.fromarray(data.astronaut()).save(photo)
    first = server.queue(graph())
    assert cached(first) == set() and cached(server.queue(graph())) == nodes
    before = server.image(first, "save")

    write_parser(parser, seed=1)
    other = server.queue(graph())
    assert cached(other) == {"load", "find"} and server.image(other, "save") != before
    assert cached(server.queue(graph())) == nodes

    with Image.open(photo) as portrait:
        portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(photo)
    assert cached(server.queue(graph())) == set()

    changed = graph()
    changed["crop"]["inputs"]["padding"] = 0.75
    assert cached(server.queue(changed)) == {"load", "find", "parse", "save"}
