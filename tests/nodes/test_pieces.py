"""Patches in real hosts where a model call computes a piece (windows, areas, bounds), in other sizes, and compiled."""

from __future__ import annotations

from typing import Any

import pytest
from support.measured import measure, usable_hosts

# What float32 may differ by when rows are computed in other company.
CLOSE = 1e-4
CONTROLLERS = ("ip-adapter", "facex")
ADDITIONS = ("A released", "A practical", "B released", "B practical")


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(request.param, "pieces.py", tmp_path_factory.mktemp("pieces"), patience=900)


@pytest.mark.parametrize("patch", CONTROLLERS + ADDITIONS)
def test_context_windows_give_every_frame_its_own_face_and_person(figures: dict[str, Any], patch: str):
    found = figures["windows"][patch]
    assert found.pop("acts") > 0.1 and max(found.values()) < CLOSE, found


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_in_an_area_or_the_bounds_of_a_mask_a_person_steers_the_region_that_lies_there(
    figures: dict[str, Any], controller: str
):
    found = figures["areas"][controller]
    assert found["region"] and found["bounds"] and found["finite"] and found["acts"] > 0.1, found


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_a_reference_that_acts_everywhere_acts_on_all_of_an_area(figures: dict[str, Any], controller: str):
    assert figures["areas"][controller]["everywhere"]


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_areas_in_one_call_and_in_a_call_each_are_the_same(figures: dict[str, Any], controller: str):
    assert figures["areas"][controller]["two"] < CLOSE


@pytest.mark.parametrize("patch", ADDITIONS)
def test_a_latent_of_another_shape_count_or_family_is_refused_before_the_model_is_called(
    figures: dict[str, Any], patch: str
):
    found = figures["sizes"][patch]
    assert found["wide"].startswith("Addition Inject: the sampler's latent has 24 x 16 cells (192 x 128 pixels)")
    assert "another shape" in found["wide"] and "in any size" in found["wide"]
    assert found["counts"].startswith("Addition Inject: the sampler's latent has 3 pictures")
    assert found["channels"].startswith("Addition Inject: the sampler's latent has shape (1, 16, 16, 16)")
    assert found["calls"] == 0


@pytest.mark.parametrize("patch", ADDITIONS)
def test_a_latent_of_the_same_shape_in_another_size_gets_the_masked_target_in_that_size(
    figures: dict[str, Any], patch: str
):
    found = figures["sizes"][patch]
    assert found["upscaled"] > 0.1 and found["halved"] and found["upscaled area"] and found["batch"], found


@pytest.mark.parametrize("kind", "AB")
def test_an_area_is_found_where_the_targets_latent_is_the_same_everywhere(figures: dict[str, Any], kind: str):
    assert figures["flat"][kind] > 0.01


@pytest.mark.parametrize("patch", ADDITIONS)
def test_the_adapter_is_freed_with_the_patched_model_though_the_host_keeps_the_unet(
    figures: dict[str, Any], patch: str
):
    assert figures["let go"][patch]


@pytest.mark.parametrize("patch", (*CONTROLLERS, *ADDITIONS, "masked fusion"))
def test_under_torch_compile_a_patch_gives_what_it_gives_without(figures: dict[str, Any], patch: str):
    assert max(figures["compiled"][patch].values()) < 1e-3, figures["compiled"][patch]
