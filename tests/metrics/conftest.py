"""People on photographs that packages ship."""

from __future__ import annotations

import pytest
from face_part_fusion.command.demo import _shipped
from face_part_fusion.command.photo import load_photo
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.find import find_faces
from face_part_fusion.detectors.selection import choose


@pytest.fixture(scope="session")
def detector():
    return BuiltinDetector()


@pytest.fixture(scope="session")
def detect(detector):
    """(B, H, W, 3) -> FaceParts with the largest face of each picture chosen."""
    return lambda pictures: choose(pictures, find_faces(pictures, detector), on_missing="keep empty")


@pytest.fixture(scope="session")
def astronaut(detect):
    pytest.importorskip("skimage", reason="scikit-image ships the portrait")
    return detect(load_photo(_shipped("skimage", "data/astronaut.png"))[:, :320, 80:400])


@pytest.fixture(scope="session")
def other(detector):
    """One of six people in a group."""
    pytest.importorskip("insightface", reason="insightface ships the photograph")
    picture = load_photo(_shipped("insightface", "data/images/t1.jpg"))
    return choose(picture, find_faces(picture, detector), "left-right", 3)
