"""Photographs that the tests of the command share."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.command.demo import _shipped
from face_part_fusion.command.photo import load_photo, save_photo
from PIL import Image


@pytest.fixture(scope="module")
def portrait(tmp_path_factory):
    """A file with one face."""
    pytest.importorskip("skimage", reason="scikit-image ships the portrait")
    path = tmp_path_factory.mktemp("photos") / "portrait.png"
    Image.open(_shipped("skimage", "data/astronaut.png")).convert("RGB").crop((80, 0, 400, 320)).save(path)
    return path


@pytest.fixture(scope="module")
def pair(portrait):
    """A file with two faces, the second one mirrored and grey."""
    one = load_photo(portrait)[0]
    other = one.flip(1).mean(-1, keepdim=True).expand(-1, -1, 3)
    return save_photo(torch.cat([one, other], 1), portrait.with_name("pair.png"))
