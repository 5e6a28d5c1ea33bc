"""tools/convert_mediapipe.py: its small functions, and the whole conversion where the wheel is at hand."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from face_part_fusion.detectors import bundled
from face_part_fusion.detectors.builtin import FaceNets
from safetensors import safe_open
from safetensors.torch import load_file
from support.paths import ROOT


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("convert_mediapipe", ROOT / "tools" / "convert_mediapipe.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_sparse_tensor_becomes_dense(tool: ModuleType) -> None:
    dense = tool.densify(
        np.array([5, 6, 7], np.float16), np.array([0, 2, 2, 3], np.uint8), np.array([0, 3, 1], np.uint8), (3, 1, 1, 4)
    )
    assert dense.reshape(3, 4).tolist() == [[5, 0, 0, 6], [0, 0, 0, 0], [0, 7, 0, 0]] and dense.dtype == np.float16


@pytest.mark.parametrize(
    ("kind", "shape", "wanted"),
    [
        ("CONV_2D", (8, 5, 3, 2), (8, 2, 5, 3)),
        ("DEPTHWISE_CONV_2D", (1, 5, 3, 8), (8, 1, 5, 3)),
        ("PRELU", (1, 1, 8), (8,)),
    ],
)
def test_axes_become_those_of_torch(
    tool: ModuleType, kind: str, shape: tuple[int, ...], wanted: tuple[int, ...]
) -> None:
    assert tool.torch_layout(np.zeros(shape), kind).shape == wanted


def test_the_layers_of_the_tool_are_those_of_the_nets(tool: ModuleType) -> None:
    nets = FaceNets()
    for layers, net in zip(
        (tool.short_range_layers(), tool.full_range_layers(), tool.mesh_layers(), tool.attention_layers()),
        (nets.short, nets.full, nets.mesh, nets.attention),
        strict=True,
    ):
        assert set(layers) == {key.rpartition(".")[0] for key in net.state_dict()}


def test_bundled_files_are_half_precision_small_and_say_where_they_come_from(tool: ModuleType) -> None:
    total = 0
    for source in tool.SOURCES:
        path = bundled.FOLDER / source.target
        total += path.stat().st_size
        with safe_open(path, "pt") as file:
            assert file.metadata()["licence"] == "Apache-2.0" and file.metadata()["sha256"] == source.sha256
        assert {t.dtype for t in load_file(path).values()} == {torch.float16}
    assert total < 6_000_000


def test_converting_the_wheel_gives_the_bundled_files(tool: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    wheel = os.environ.get("MEDIAPIPE_WHEEL")
    if not wheel or not Path(wheel).is_file():
        pytest.skip("MEDIAPIPE_WHEEL does not name mediapipe-0.10.21-*.whl")
    for path in tool.convert(Path(wheel), tmp_path):
        made, kept = load_file(path), load_file(bundled.FOLDER / path.name)
        assert made.keys() == kept.keys() and all(torch.equal(made[key], kept[key]) for key in kept)
