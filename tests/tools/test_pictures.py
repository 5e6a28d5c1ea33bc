"""The tools draw every help page's picture and every template's thumbnail; the icon is what its SVG shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.browser import FLAGS, find_chromium
from support.hosts import NODE_IDS
from support.paths import ROOT, TOOLS
from support.templates import CLIP, EXAMPLES, MODEL_TEMPLATES, PIXEL_TEMPLATES, example

sys.path.insert(0, str(TOOLS))

import make_pictures  # noqa: E402
import template_pictures  # noqa: E402
from people import PARTS  # noqa: E402


def test_every_help_page_has_a_drawing():
    assert set(make_pictures.HELP) == NODE_IDS


def test_every_template_has_a_drawing_after_a_run_or_before_its_model():
    assert {*template_pictures.RUN, *template_pictures.FILMS} == set(PIXEL_TEMPLATES)
    assert set(template_pictures.BEFORE_THE_MODEL) == set(MODEL_TEMPLATES)


def test_every_example_is_drawn():
    # The clip is made by tools/example_clip.py.
    assert set(EXAMPLES) == {CLIP, *(example(role) for role in ("target", *PARTS, "group", "no_face"))}


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium was found; install it or name it in CHROMIUM")
def test_the_icon_is_what_its_drawing_shows(tmp_path: Path):
    shot = tmp_path / "icon.png"
    options = ("--headless", "--hide-scrollbars", f"--screenshot={shot}", "--window-size=400,400")
    command = [find_chromium(), *FLAGS, *options, f"--user-data-dir={tmp_path}", str(ROOT / "docs" / "icon.svg")]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    drawn, kept = (np.asarray(Image.open(f).convert("RGB")).astype(int) for f in (shot, ROOT / "docs" / "icon.png"))
    assert np.abs(drawn - kept).mean() < 1
