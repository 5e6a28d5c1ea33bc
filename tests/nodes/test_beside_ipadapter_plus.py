"""What an IP-Adapter does here is what IPAdapter-plus's own node does in the same host, where a checkout is given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support.measured import measure, usable_hosts

FOLDER = os.environ.get("IPADAPTER_PLUS", "")
pytestmark = pytest.mark.skipif(
    not FOLDER, reason="set IPADAPTER_PLUS to a checkout of ComfyUI_IPAdapter_plus to compare with its own node"
)


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = Path(FOLDER).expanduser().resolve()
    base = tmp_path_factory.mktemp("beside")
    return measure(request.param, "beside_ipadapter_plus.py", base, str(folder), patience=1800)


@pytest.mark.parametrize("where", ["everywhere", "one half", "both halves"])
@pytest.mark.parametrize("kind", ["sd15 plus", "sd15 full face", "sdxl plus"])
def test_the_models_output_is_theirs(figures: dict[str, Any], kind: str, where: str) -> None:
    found = figures[kind][where]
    assert found["apart"] < 1e-3 < 0.01 < found["acts"]
