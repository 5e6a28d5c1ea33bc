"""Part Encode and Mask Fuse inside real hosts, with random CLIP and SigLIP models of the host's own classes."""

from __future__ import annotations

import pytest
from support.measured import measure, usable_hosts


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request, tmp_path_factory):
    return measure(request.param, "encode.py", tmp_path_factory.mktemp("encode"))


def test_the_hosts_encoders_are_read_as_they_are(figures):
    clip, large, siglip = (figures[name] for name in ("clip", "large", "siglip"))
    assert (clip["grid"], clip["classes"], clip["size"], clip["width"]) == ([16, 16], 1, 224, 32)
    assert (large["grid"], large["classes"]) == ([24, 24], 1) and large["name"] == "CLIP ViT-32/14 at 336 pixels"
    assert (siglip["grid"], siglip["classes"], siglip["mean"]) == ([27, 27], 0, [0.5, 0.5, 0.5])


@pytest.mark.parametrize("name", ["clip", "large", "siglip"])
def test_tokens_are_those_of_a_plain_computation_and_of_the_host(figures, name):
    difference = figures[name]["difference"]
    assert difference["plain"] < 1e-5 and difference["zero"] < 1e-5 and difference["host"] < 0.05


@pytest.mark.parametrize("name", ["clip", "large", "siglip"])
def test_both_modes_fuse_three_people_from_end_to_end(figures, name):
    found = figures[name]
    length = found["classes"] + found["grid"][0] * found["grid"][1]
    for mode, shape in found["shapes"].items():
        assert shape == [1, length, 32] and found["givers"][mode] == [0, 1, 2, 3]
        assert found["pictures"][mode][0] == 1 and found["pictures"][mode][3] == 3
        changed, wrong, class_token_kept = found["changed"][mode]
        assert changed > 5 and wrong == 0 and class_token_kept


def test_the_host_model_runs_once_per_call_and_not_again_for_what_it_has_seen(figures):
    assert figures["once"] == [3]


def test_wrong_input_is_refused_in_a_plain_sentence(figures):
    assert "clip_vision is a Linear" in figures["no clip"] and "ViT-H/14" in figures["no clip"]
    assert "CLIP ViT-32/14 at 224 pixels (16 x 16 cells" in figures["two encoders"]
    assert "CLIP ViT-32/14 at 336 pixels (24 x 24 cells" in figures["two encoders"]
    assert "nothing to fuse" in figures["nobody"]
