"""Two hundred queued runs of the first template end with memory where it was after ten: `pytest -m soak`."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.hosts import Server
from support.measured import usable_hosts
from support.templates import FIRST, TEMPLATES, as_api

RUNS, SETTLED, AROUND = 200, 10, 5
NEWEST = usable_hosts()[-1:]


def resident(process: int) -> int:
    """Bytes in memory of the one process that `process` started, which is the host."""
    (host,) = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    pages = Path(f"/proc/{host}/statm").read_text().split()[1]
    return int(pages) * 4096


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("host", NEWEST)
def test_two_hundred_runs_do_not_grow_the_host(host: Any, tmp_path: Path):
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    server = Server(host, tmp_path)
    portrait = Image.fromarray(data.astronaut())
    for i in range(7):
        turned = portrait.rotate(5 * (i - 3), Image.Resampling.BICUBIC)
        turned.resize((400 + 24 * i, 400 + 24 * i)).save(server.base / "input" / f"{i}.png")
    with server:
        used = []
        for run in range(RUNS):
            history = server.queue(changing(as_api(TEMPLATES[FIRST]), run))
            assert history["status"]["status_str"] == "success", history["status"]
            assert server.process is not None
            used.append(resident(server.process.pid))
    before, after = (statistics.median(used[end - AROUND : end]) for end in (SETTLED + AROUND, RUNS))
    sys.stdout.write(f"after {SETTLED} runs {before / 1e6:.0f} MB, after {RUNS} {after / 1e6:.0f} MB\n")
    assert after <= 1.05 * before


def changing(prompt: dict[str, Any], run: int) -> dict[str, Any]:
    """Other photographs of other sizes, and another strength, in every run."""
    loaders = [node for node in prompt.values() if node["class_type"] == "LoadImage"]
    for i, node in enumerate(loaders):
        node["inputs"]["image"] = f"{(run * (i + 1) + i) % 7}.png"
    (fuse,) = [node for node in prompt.values() if node["class_type"] == "PartComposite"]
    fuse["inputs"]["nose_strength"] = (run % 20) / 20
    return prompt
