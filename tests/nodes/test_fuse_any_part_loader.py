"""FuseAnyPartLoader inside real hosts, judged by what `inside/fuse_any_part_loader.py` measured there."""

import pytest
from support.measured import measure, usable_hosts


@pytest.fixture(scope="module", params=usable_hosts())
def found(request, tmp_path_factory):
    return measure(request.param, "fuse_any_part_loader.py", tmp_path_factory.mktemp("loader"))


@pytest.mark.parametrize("kind", "AB")
def test_every_weight_of_the_model_is_that_of_the_file(found, kind):
    told = found[kind]
    assert told["kind"] == kind and told["width"] == 64 if kind == "A" else told["kind"] == kind
    assert told["tensors"] == 682 and told["same_names"] and told["difference"] == 0


def test_the_host_misses_nothing_and_finds_nothing_too_much(found):
    assert found["log"] == []


def test_the_hosts_own_inpaint_conditioning_fits_the_model(found):
    assert found["A"]["concat"] == found["B"]["concat"] == ["mask", "masked_image"]


def test_the_prediction_is_that_of_diffusers(found):
    if found["prediction"] is None:
        pytest.skip("this host has no diffusers")
    assert len(found["prediction"]) == 2 and max(found["prediction"]) < 1e-4


def test_the_adapters_compute_what_the_file_says_in_the_files_precision(found):
    assert found["A"]["adapter_difference"] < 1e-5
    assert found["B"]["precision"] == "torch.float16" and found["B"]["alpha"] < 1e-3 and found["B"]["resampler"]


def test_the_host_can_make_another_copy_and_another_precision(found):
    assert found["again"] == 0 and found["half"] == "torch.float16"


def test_carrying_over_adds_the_difference_and_leaves_its_parents(found):
    carried = found["carried"]
    assert carried["same"] == 0, "onto equal to base must change nothing"
    assert carried["moved"] < 1e-6 < carried["change"] and carried["lora"] < 1e-6
    assert carried["parent"] == carried["onto"] == 0


def test_models_that_cannot_be_carried_over_are_named(found):
    told = found["errors"]
    assert "onto is wired and base is not" in told["onto only"]
    assert "base is wired and onto is not" in told["base only"]
    assert "onto is a model of ComfyUI's family KOALA" in told["SDXL"] and "SD1.5" in told["SDXL"]
    assert "base has 9 input channels" in told["inpainting"] and "4 input channels" in told["inpainting"]
    assert "base is a model of ComfyUI's family SD15, built differently" in told["other build"]
    assert "64 channels wide at its first level, and ComfyUI takes 320" in told["narrow"]


def test_the_list_shows_weights_and_training_folders_but_no_optimiser(found):
    assert [c.replace("\\", "/") for c in found["choices"]] == ["checkpoint-1000/model.safetensors", "fap.bin"]
    assert found["valid"] is True and found["changed"] is True


def test_without_weights_the_list_and_the_message_say_what_to_fetch_and_where(found):
    assert found["empty"] == ["(none: put fap.bin into models/fuse_any_part)"]
    for told in (found["missing"], found["executed_missing"]):
        assert "Put fap.bin into" in told and "fuse_any_part" in told and "Thomas-Tom/FuseAnyPart" in told
