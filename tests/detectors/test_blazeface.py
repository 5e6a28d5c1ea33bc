"""The two face detectors: shapes, padding, decoding, and parity with the TFLite files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from face_part_fusion.detectors import bundled
from face_part_fusion.detectors.blaze_blocks import same_padding
from face_part_fusion.detectors.blazeface import (
    FULL_STRIDES,
    SHORT_STRIDES,
    FullRange,
    ShortRange,
    anchors,
    decode,
)
from support.paths import SHARED


@pytest.fixture(scope="module")
def short() -> ShortRange:
    return bundled.load_bundled(ShortRange(), "face_detection_short_range.safetensors")


@pytest.fixture(scope="module")
def full() -> FullRange:
    return bundled.load_bundled(FullRange(), "face_detection_full_range.safetensors")


@pytest.mark.parametrize(
    ("size", "kernel", "before", "after"), [(128, 5, 1, 2), (192, 3, 0, 1), (7, 3, 1, 1), (6, 2, 0, 0)]
)
def test_stride_two_pads_like_tflite_with_the_odd_pixel_last(size: int, kernel: int, before: int, after: int) -> None:
    padded = same_padding(torch.ones(1, 1, size, size), kernel, 2)
    assert padded.shape[-1] == before + size + after
    row = padded[0, 0, padded.shape[-2] // 2]
    assert row.nonzero()[0].item() == before


def test_short_range_gives_a_row_for_each_anchor(short: ShortRange) -> None:
    boxes, scores = short(torch.zeros(2, 3, 128, 128))
    assert boxes.shape == (2, 896, 16) and scores.shape == (2, 896) and len(anchors(128, 128, SHORT_STRIDES)) == 896


def test_full_range_gives_a_row_for_each_anchor(full: FullRange) -> None:
    boxes, scores = full(torch.zeros(5, 3, 192, 192))
    assert boxes.shape == (5, 2304, 16) and scores.shape == (5, 2304) and len(anchors(192, 192, FULL_STRIDES)) == 2304


def test_a_batch_gives_what_its_pictures_give_alone(full: FullRange) -> None:
    pictures = torch.rand(5, 3, 192, 192, generator=torch.Generator().manual_seed(0)) * 2 - 1
    together, alone = full(pictures)[0], torch.cat([full(p[None])[0] for p in pictures])
    torch.testing.assert_close(together, alone, atol=2e-3, rtol=1e-4)


def test_full_range_looks_into_a_window_of_any_whole_cells(full: FullRange) -> None:
    boxes, scores = full(torch.zeros(1, 3, 96, 224))
    cells = 24 * 56
    assert boxes.shape == (1, cells, 16) and scores.shape == (1, cells) and len(anchors(96, 224, FULL_STRIDES)) == cells


@pytest.mark.parametrize(("name", "sides"), [("short", (128, 128)), ("full", (96, 160)), ("full", (32, 32))])
def test_proposals_are_the_anchors_above_the_least_score_with_their_boxes(
    name: str, sides: tuple[int, int], request: pytest.FixtureRequest
) -> None:
    net = request.getfixturevalue(name)
    windows = torch.rand(3, 3, *sides, generator=torch.Generator().manual_seed(0)) * 2 - 1
    boxes, logits = net(windows)
    for least in (-1e9, float(logits.median()), 1e9):
        raw, scores, number, anchor = net.proposals(windows, least)
        assert torch.equal(torch.stack((number, anchor), 1), (logits > least).nonzero())
        assert torch.equal(scores, logits[number, anchor])
        torch.testing.assert_close(raw, boxes[number, anchor], atol=1e-3, rtol=1e-4)


def test_anchors_sit_in_the_middle_of_their_cells() -> None:
    assert anchors(4, 4, ((2, 2),)).tolist() == [[1, 1], [1, 1], [3, 1], [3, 1], [1, 3], [1, 3], [3, 3], [3, 3]]
    assert anchors(2, 6, ((2, 1),)).tolist() == [[1, 1], [3, 1], [5, 1]]


def test_decode_turns_middle_and_size_into_corners_and_moves_points_to_the_anchor() -> None:
    raw = torch.tensor([1.0, 2, 10, 20, *range(12)])
    decoded = decode(raw, torch.tensor([50.0, 60]))
    assert decoded[:2].tolist() == [[46, 52], [56, 72]]
    assert decoded[2].tolist() == [50, 61] and decoded[7].tolist() == [60, 71]


def test_weights_need_no_gradient_and_are_float32(short: ShortRange) -> None:
    assert all(not p.requires_grad and p.dtype == torch.float32 for p in short.parameters())


def test_a_missing_file_is_named_and_says_to_reinstall(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.safetensors.*reinstall"):
        bundled.load_bundled(ShortRange(), "gone.safetensors", tmp_path)


def test_a_cut_off_file_is_named_and_says_to_reinstall(tmp_path: Path) -> None:
    name = "face_detection_short_range.safetensors"
    (tmp_path / name).write_bytes((bundled.FOLDER / name).read_bytes()[:50_000])
    with pytest.raises(ValueError, match=r"short_range\.safetensors.*reinstall"):
        bundled.load_bundled(ShortRange(), name, tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a file of weights at all"])
def test_a_corrupt_file_is_named_and_says_to_reinstall(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.safetensors.*reinstall"):
        bundled.load_bundled(ShortRange(), "x.safetensors", tmp_path)


def test_the_file_of_another_net_is_refused_by_its_keys() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        bundled.load_bundled(FullRange(), "face_detection_short_range.safetensors")


def test_short_range_equals_the_tflite_file(short: ShortRange) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
    path = SHARED / "models" / "face_detection_short_range.tflite"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    picture = np.random.default_rng(0).uniform(-1, 1, (1, 128, 128, 3)).astype(np.float32)
    lite = interpreter.Interpreter(str(path), num_threads=1)
    lite.allocate_tensors()
    lite.set_tensor(lite.get_input_details()[0]["index"], picture)
    lite.invoke()
    wanted = {tuple(d["shape"])[-1]: lite.get_tensor(d["index"]) for d in lite.get_output_details()}
    boxes, scores = short(torch.from_numpy(picture).permute(0, 3, 1, 2))
    np.testing.assert_allclose(boxes.numpy(), wanted[16], atol=5e-3)
    np.testing.assert_allclose(scores.numpy(), wanted[1][..., 0], atol=5e-3)
