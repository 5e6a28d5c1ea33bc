"""tools/make_pictures.py draws every help page's picture and every template's thumbnail, and nothing else."""

from __future__ import annotations

import sys

import pytest
from support.hosts import NODE_IDS
from support.paths import ROOT, TOOLS
from support.templates import EXAMPLES, MODEL_TEMPLATES, PIXEL_TEMPLATES, example

sys.path.insert(0, str(TOOLS))

import make_pictures  # noqa: E402
import template_pictures  # noqa: E402
from people import PARTS  # noqa: E402


def test_every_help_page_has_a_drawing():
    assert set(make_pictures.HELP) == NODE_IDS


def test_every_template_has_a_drawing_after_a_run_or_before_its_model():
    assert set(template_pictures.RUN) == set(PIXEL_TEMPLATES)
    assert set(template_pictures.BEFORE_THE_MODEL) == set(MODEL_TEMPLATES)


def test_every_example_is_drawn():
    assert set(EXAMPLES) == {example(role) for role in ("target", *PARTS, "group", "no_face")}


@pytest.mark.parametrize("kind", make_pictures.KINDS)
def test_what_is_drawn_lies_in_a_folder_of_the_pack(kind: str):
    assert (ROOT / make_pictures.KINDS[kind][1]).is_dir()
