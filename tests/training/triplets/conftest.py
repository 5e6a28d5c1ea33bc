"""Photographs of two people, as far as a program can tell, and some that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def astronaut(tmp_path_factory) -> Path:
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the portrait")
    path = tmp_path_factory.mktemp("photos") / "astronaut.png"
    Image.fromarray(data.astronaut()).crop((60, 0, 400, 340)).save(path)
    return path


@pytest.fixture(scope="session")
def photographs(astronaut: Path, tmp_path_factory) -> Path:
    """Three photographs that can be used, of two people, and two that cannot."""
    folder = tmp_path_factory.mktemp("people")
    (folder / "ann").mkdir()
    pixels = np.asarray(Image.open(astronaut))
    Image.fromarray(pixels).save(folder / "ann" / "1.png")
    Image.fromarray(pixels[4:]).save(folder / "ann" / "2.png")
    Image.fromarray((pixels * np.array([0.9, 0.7, 0.6])).astype(np.uint8)).resize((340, 370)).save(folder / "ben.jpg")
    Image.new("RGB", (64, 64), "gray").save(folder / "wall.png")
    (folder / "cut.jpg").write_bytes((folder / "ben.jpg").read_bytes()[:2000])
    return folder
