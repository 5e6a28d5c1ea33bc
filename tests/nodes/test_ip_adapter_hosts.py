"""Regional IP-Adapter control inside real hosts, on narrow SD1.5 and SDXL models with random weights."""

from __future__ import annotations

from typing import Any

import pytest
from support.measured import measure, usable_hosts

# What the host's own arithmetic may differ by, in float32, from a computation spelt out step by step.
CLOSE = 1e-4


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(request.param, "ip_adapter.py", tmp_path_factory.mktemp("ip_adapter"))


@pytest.mark.parametrize("variant", ["plus", "full face"])
def test_one_reference_everywhere_is_the_published_computation(figures, variant):
    found = figures["whole"][variant]
    assert found["gap"] < CLOSE and found["moved"] > 100 * CLOSE and found["size"] > 0.2


@pytest.mark.parametrize("family", ["regions", "regions sdxl"])
def test_two_references_in_regions_with_block_weights_are_the_plain_computation(figures, family):
    assert figures[family]["gap"] < CLOSE and figures[family]["moved"] > 100 * CLOSE


def test_a_query_depends_on_its_own_reference_alone(figures):
    found = figures["own"]
    assert found["outside its mouth"] == 0 and found["outside both"] == 0
    assert found["inside"] > 1e-3 and found["inside eyes"] > 1e-3


def test_nothing_to_do_leaves_the_model_as_it_is_to_the_last_bit(figures):
    assert figures["unpatched"] == {"black mask": True, "no strength": True, "no block": True}


def test_start_and_end_bound_the_steps(figures):
    assert figures["schedule"]["late"] == [True, True, False, False]
    assert figures["schedule"]["early"] == [True, True, False, False]


def test_parent_clone_and_sibling_do_not_affect_each_other(figures):
    assert all(figures["clones"].values()), figures["clones"]


def test_every_picture_of_a_batch_has_its_own_reference_and_region(figures):
    found = figures["batch"]
    assert max(found["gaps"]) < 1e-5 * found["size"]
    assert found["error"].startswith(
        "Face Controller Apply: mouth of representation 1 comes from 2 pictures of the reference, but 3 latents"
    )


def test_it_works_with_a_lora_and_on_top_of_another_replacement(figures):
    found = figures["together"]
    assert found["accepted"] == 2 and found["lora"] < CLOSE and found["lora moved"] > 10 * CLOSE
    assert found["chained"] < 1e-5 and found["constant kept"] == 0


def test_keys_and_values_are_computed_once_per_sampling_and_dropped_after_it(figures):
    found = figures["once"]
    assert found["calls"] == {"keys": 2 * 16, "tokens": 2} and found["left"] == 0


def test_all_sixteen_attentions_are_reached_the_middle_too(figures):
    places = [("input", n) for n in (1, 2, 4, 5, 7, 8)] + [("middle", 0)] + [("output", n) for n in range(3, 12)]
    assert figures["once"]["slots"] == sorted(map(str, places))


def test_faces_are_encoded_and_steer(figures):
    found = figures["photographs"]
    assert found["parts"] == [["eyes"], ["mouth"]] and found["shape"] == [1, 257, 1280]
    assert found["empty"] == [1, 257, 1280] and found["crops"] == [[1, 224, 224, 3], [2, 224, 224, 3]]
    assert found["as the host"] < 0.1 and found["moved"] > CLOSE and found["regions"] == [1, 128, 128, 3]
    assert "CLIP ViT-64/14 at 224 pixels with tokens 64 wide" in found["narrow"] and "takes 1280" in found["narrow"]
    assert "would steer nothing" in found["nothing"]


def test_the_same_nodes_take_a_facex_controller(figures):
    found = figures["facex"]
    assert found["kinds"] == ["facex", "facex"] and found["new"] and found["black"]
    assert found["trained"] > CLOSE
    assert "representations has 2, and a FaceX controller takes exactly one" in found["two"]
    assert "representation 1 was not encoded for FaceX" in found["tokens of parts"]


@pytest.mark.parametrize(
    ("case", "said"),
    {
        "family": "controller is an IP-Adapter for SD1.5", "tokens": "representation 1 has no tokens of face parts",
        "nothing": "nothing steers: wire at least one", "part": "target: this face has no 'nose'",
        "no face": "target has no chosen face", "empty": "the region of 'mouth' in target is empty",
        "range": "end is 0.5 and start 0.5", "blocks": "block_weights has 'down = 1'",
        "shape": "256 x 128 pixels and the latent 16 x 16 cells",
        "file": "page.bin holds no weights: it begins with",
    }.items(),
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_plain_sentence(figures, case, said):
    message = figures["refusals"][case]
    assert said in message and "Traceback" not in message and "\n" not in message
    assert message.startswith("Face Controller Apply: ") == (case == "shape")
