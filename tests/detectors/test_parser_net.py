"""The parser's network: its size, its shapes, and weights that a damaged file does not pass for."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.detectors.bundled import FOLDER, load_bundled
from face_part_fusion.detectors.parser_builtin import WEIGHTS
from face_part_fusion.detectors.parser_net import CLASSES, FaceParser


def test_it_is_small() -> None:
    assert sum(p.numel() for p in FaceParser().parameters()) < 1.5e6
    assert (FOLDER / WEIGHTS).stat().st_size < 4e6


@pytest.mark.parametrize("size", [(256, 256), (192, 192), (64, 96)])
def test_every_pixel_gets_a_score_for_every_class(size: tuple[int, int]) -> None:
    with torch.no_grad():
        assert FaceParser()(torch.rand(2, 3, *size)).shape == (2, len(CLASSES), *size)


def test_its_file_fits_and_one_of_another_net_does_not(tmp_path) -> None:
    net = load_bundled(FaceParser(), WEIGHTS)
    assert not net.training and not any(p.requires_grad for p in net.parameters())
    (tmp_path / WEIGHTS).write_bytes((FOLDER / "face_mesh_468.safetensors").read_bytes())
    with pytest.raises(ValueError, match="does not fit"):
        load_bundled(FaceParser(), WEIGHTS, tmp_path)
