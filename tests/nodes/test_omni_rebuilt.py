"""OmniRepresentationCondition in real hosts: small nodes that rebuild it, its defaults, regions unseen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.measured import measure, usable_hosts


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    base: Path = tmp_path_factory.mktemp("omni")
    Image.fromarray(data.astronaut()).save(base / "photo.png")
    return measure(request.param, "omni_rebuilt.py", base, str(base / "photo.png"))


def test_small_nodes_rebuild_its_swaps_to_the_last_bit(figures):
    found = figures["rebuilt"]
    assert found["picture"] and found["facex"] and found["ip"] and found["prompt"] and found["weights"] > 0.01
    assert "wire in target" in found["no target"]


def test_regions_without_pixels_are_reported_by_it_and_by_the_small_node(figures):
    small, large = figures["rebuilt"]["report"]
    assert small == "no pixels, so the controller's empty token stands for: ears"
    assert large.endswith(small)


def test_identity_and_motion_are_whose_the_user_says(figures):
    assert figures["choices"] == {"chosen": True, "own": False}


def test_automatic_is_the_papers_picture_with_facex_and_a_paste_without(figures):
    found = figures["automatic"]
    assert found["without"] and found["ip"] and found["facex"] and found["edit"] and found["differ"] > 0.1


@pytest.mark.parametrize(
    ("case", "left"),
    {
        "whole": [], "hidden ears": ["ears"], "unknown ears": [], "bald source": ["hair"], "bald target": ["hair"],
    }.items(),
)  # fmt: skip
def test_a_head_swap_leaves_out_what_cannot_be_seen_and_says_so(figures, case, left):
    found, regions = figures["heads"][case], ["ears", "eyebrows", "eyes", "hair", "lips", "nose", "skin"]
    assert found["finite"] and found["ip"] == [f"{region} of the source" for region in regions if region not in left]
    by_ip, by_facex = found["reports"]
    said = [f"not steered: {', '.join(f'{region} of the source' for region in left)}" in by_ip, left == []]
    assert any(said) and ("not steered" in by_ip) == bool(left)
    if case != "bald target":
        assert ("nothing of it is given: the source's" in by_ip) == bool(left)
        assert all(f"the source's {region}" in by_facex for region in left)
        assert ("empty token stands for" in by_facex) == bool(left)


def test_an_empty_part_is_named_and_the_encoder_reports_it_for_facex(figures):
    assert "nothing of 'hair' can be seen on the face in picture 1" in figures["heads"]["small node"]
    assert "empty token stands for: hair" in figures["heads"]["encoder's report"]
