"""Two hundred queued runs of five templates end with the memory of the first runs: `pytest -m soak`."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.hosts import Server
from support.measured import INSIDE, measure, usable_hosts
from support.templates import FIRST, TEMPLATES, hurried, without

# Pixels alone, frames, and each way in which a model is patched; they take turns.
NAMES = (
    FIRST, "04 A Batch of Frames (no model)", "50 Parts of People by IP-Adapter", "61 FuseAnyPart, Prompt and LoRA",
    "70 FaceX Face Swap",
)  # fmt: skip
RUNS, SETTLED, AROUND = 200, 25, 15
NEWEST = usable_hosts()[-1:]


def own_memory(process: int) -> int:
    """Bytes of its own in memory of the one process that `process` started, which is the host.

    Without the pages of files that it has mapped, such as checkpoints: those come and go as the machine needs memory.
    """
    (host,) = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    status = Path(f"/proc/{host}/status").read_text()
    return int(re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("host", NEWEST)
def test_two_hundred_runs_do_not_grow_the_host_nor_need_an_explanation(host: Any, tmp_path: Path):
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    server = Server(host, tmp_path)
    shutil.copy(INSIDE / "shallow_clip.py", server.base / "custom_nodes")
    measure(host, "template_weights.py", server.base)
    portrait = Image.fromarray(data.astronaut())
    for i in range(7):
        turned = portrait.rotate(5 * (i - 3), Image.Resampling.BICUBIC)
        turned.resize((400 + 24 * i, 400 + 24 * i)).save(server.base / "input" / f"{i}.png")
    with server:
        used = []
        for run in range(RUNS):
            history = server.queue(changing(NAMES[run % len(NAMES)], run), patience=600)
            assert history["status"]["status_str"] == "success", history["status"]
            assert server.process is not None
            used.append(own_memory(server.process.pid))
        log = server.log()
    # The most in a few rounds of all templates: the host keeps or drops the models of the others as it likes.
    before, after = (max(used[end - AROUND : end]) for end in (SETTLED + AROUND, RUNS))
    sys.stdout.write(" ".join(f"{size / 1e6:.0f}" for size in used) + "\n")
    sys.stdout.write(f"after {SETTLED} runs {before / 1e6:.0f} MB, after {RUNS} {after / 1e6:.0f} MB\n")
    assert after <= 1.05 * before
    assert not [line for line in log.splitlines() if "leak" in line.lower() or "Traceback" in line]


def changing(name: str, run: int) -> dict[str, Any]:
    """Other photographs of other sizes, another seed and another strength, in every run."""
    prompt = hurried(without(TEMPLATES[name]))
    for i, node in enumerate(node for node in prompt.values() if node["class_type"] == "LoadImage"):
        node["inputs"]["image"] = f"{(run * (i + 1) + i) % 7}.png"
    for node in prompt.values():
        node["inputs"] |= {"seed": run} if "seed" in node["inputs"] else {}
        if node["class_type"] == "PartComposite":
            node["inputs"]["nose_strength"] = (run % 20) / 20
    return prompt
