"""What tests in real hosts share."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from support.host_graphs import GROUP_CUTS, ROLES, group_photograph


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Role -> PNG of a face: the astronaut, and three people of the group photograph or else views of the astronaut."""
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    target = Image.fromarray(data.astronaut())
    pictures = {"target": target}
    group = group_photograph()
    for i, role in enumerate(ROLES[1:]):
        turned = target.rotate(8 * (i - 1), Image.Resampling.BICUBIC).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pictures[role] = group.crop(GROUP_CUTS[role]) if group else turned
    folder = tmp_path_factory.mktemp("people")
    for role, picture in pictures.items():
        picture.convert("RGB").save(folder / f"{role}.png")
    return {role: folder / f"{role}.png" for role in pictures}
