"""IP-Adapter and FaceX through the large node in real hosts, in half precision and partly loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.measured import measure, usable_hosts

# Of what the controller changes. A model in half precision rounds by itself, and bfloat16 eight times as coarsely.
LIMITS = {"model torch.bfloat16": 0.4, "model torch.float16": 0.05, "weights torch.bfloat16": 0.01,
          "weights torch.float16": 0.001}  # fmt: skip


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    base: Path = tmp_path_factory.mktemp("precision")
    Image.fromarray(data.astronaut()).save(base / "photo.png")
    return measure(request.param, "controllers_precision.py", base, str(base / "photo.png"))


@pytest.mark.parametrize("kind", ["ip", "facex"])
def test_half_precision_of_model_or_controller_changes_little(figures: dict[str, Any], kind: str) -> None:
    found = figures[kind]["precision"]
    assert found.keys() == LIMITS.keys() and all(0 < found[what] < limit for what, limit in LIMITS.items()), found


@pytest.mark.parametrize("kind", ["ip", "facex"])
def test_weights_that_are_cast_for_each_use_give_the_same(figures: dict[str, Any], kind: str) -> None:
    found = figures[kind]["partly loaded"]
    assert found["modules"] > 100 and found["apart"] < 1e-5
