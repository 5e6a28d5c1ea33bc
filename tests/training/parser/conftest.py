"""The astronaut as a labelled portrait."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.parsing import head_square
from face_part_fusion.training.parser.labels import SIDE, WIDTH, Sample, _crop, _points, classes


@pytest.fixture(scope="module")
def astronaut() -> torch.Tensor:
    """(512, 512, 3) 0..1."""
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    return torch.from_numpy(data.astronaut().astype(np.float32) / 255)


@pytest.fixture(scope="module")
def sample(astronaut: torch.Tensor) -> Sample:
    """The astronaut's mesh in the middle of a stored crop, on plain colours with labels to match."""
    face = BuiltinDetector()(astronaut[None])[0][0]
    square = head_square(face, WIDTH)
    points = _points(face, square)
    skin, clothes, hair, person = (np.zeros((SIDE, SIDE), np.float32) for _ in range(4))
    x, top, chin = int(points[1, 0]), int(points[10, 1]), int(points[152, 1])
    skin[top : chin + 40, x - 80 : x + 80] = 1
    hair[top - 60 : top, x - 90 : x + 90] = 1
    clothes[chin + 40 :, x - 200 : x + 200] = 1
    person = np.maximum(np.maximum(skin, hair), clothes)
    labels = classes(skin, clothes, hair, person, points, False)
    return Sample((_crop(astronaut, square) * 255).astype(np.uint8), labels, points)
