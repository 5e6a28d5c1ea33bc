"""FaceX's controller in real hosts: the figures of `inside/facex.py`, judged."""

import re

import pytest
from face_part_fusion.injection.unet.blocks import BLOCKS
from support.measured import measure, usable_hosts

NAMES = [block.name for block in BLOCKS]


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request, tmp_path_factory):
    return measure(request.param, "facex.py", tmp_path_factory.mktemp("facex"))


@pytest.mark.parametrize("family", ["sd15", "sd2"])
def test_a_new_controller_changes_no_bit_and_a_random_one_equals_the_equations(figures, family):
    found = figures["families"][family]
    assert found["finite"] and found["zero"] == 0 and found["model afterwards"] == 0
    assert found["plain"] < 1e-4 and found["two people"] < 1e-4 < 0.05 < found["acts"]


def test_every_block_attends_in_every_step_and_projects_once(figures):
    calls = figures["calls"]
    assert calls["attends"] == dict.fromkeys(NAMES, calls["steps"])
    assert calls["projects"] == dict.fromkeys(NAMES, 1)
    assert calls["tokens"] == 1 and calls["left"] == 0


def test_clones_siblings_and_parent_are_independent(figures):
    found = figures["together"]
    assert found["clone"] == found["after the sibling"] == found["parent"] == 0 < 0.01 < found["siblings differ"]


def test_it_lives_together_with_lora_other_patches_a_second_controller_and_a_control_net(figures):
    found = figures["together"]
    assert found["lora accepted"] == 1 and found["lora"] < 1e-4 < 0.01 < found["lora acts"]
    assert found["addition"] < 1e-4
    assert found["control net"] < 1e-4 < 0.01 < found["control net acts"]
    assert found["second at strength 0"] == 0 < 0.01 < found["second acts"]


def test_masks_strength_weights_and_schedule_limit_it(figures):
    found = figures["limits"]
    nothing = ("white mask", "black mask", "strength 0", "weights 0")
    assert all(found[name] == 0 for name in nothing)
    assert all(found[name] > 0.01 for name in ("half mask", "strength half", "one block"))
    assert found["late"] > 0 and found["early"] > 0


def test_start_and_end_are_those_of_the_noise_levels_that_a_later_node_gives(figures):
    found = figures["limits"]["noise levels"]
    assert found["same"] == 0 < 0.01 < found["acts"]


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("family", "at input_1 needed is width 64 and text 1024, model has width"),
        ("other model", "model has none; wire in a model or a controller of the same family"),
        ("identity", "needs the representation 'identity' from ArcFace iresnet"),
        ("provider", "was made by another network, the controller was trained with ArcFace iresnet"),
        (
            "count",
            "a test: face_representation has 2 pictures, but 3 latents are sampled; use one for all, or exactly 3",
        ),
        ("start", "end is 0.3 and start 0.7"),
        ("block", "block_weights has 'input_3 = 1'"),
        ("file", "metadata says format 'pt', needed is 'face-part-fusion facex controller'"),
    ],
)
def test_mistakes_are_named(figures, mistake, message):
    assert message in figures["errors"][mistake]


def test_a_face_is_encoded_as_the_controller_says(figures):
    found = figures["encoding"]
    vision = "CLIP ViT-L/14 at 224 pixels"
    assert found["providers"] == {"region": vision, "inpaint": vision, "motion": "landmarks"}
    assert (found["regions"], found["inpaint"], found["motion"]) == ([2, 8, 512], [2, 256, 1024], [2, 26])
    assert found["tokens"] == [2, 269, 768] and found["empty"] == [1, 269, 768] and found["finite"]
    assert found["present"] == 2 * [[False, True, False, False, False, True, False, False]]
    assert found["people differ"] > 0.01 and found["reference"] > 0.01 and found["reference leaves regions"] == 0
    assert found["one for two"] == [2, 8, 512] and found["one for two differs"] == 0
    assert "has shape (2, 60, 60, 3)" in found["other size"]
    assert "has no chosen face" in found["no face"]
    assert "w600k_r50.onnx or glintr100.onnx" in found["no recogniser"] and "insightface" in found["no recogniser"]


def test_a_controller_that_asks_for_arcface_and_deep3dfacerecon_gets_them_from_their_folders(figures):
    found = figures["networks"]
    assert re.fullmatch("ArcFace iresnet [0-9a-f]{8}", found["providers"]["identity"])
    assert found["providers"]["motion"] == "Deep3DFaceRecon" and found["managed"] == [True, True]
    assert "motion from Deep3DFaceRecon" in found["variant"]
    assert found["identity"] < 1e-4 and found["torchvision"] < 1e-5
    assert found["motion"] == [1, 183] and found["tokens"] == [1, 318, 768]


def test_of_two_motion_providers_each_controller_refuses_the_other_and_missing_weights_are_named(figures):
    found = figures["networks"]
    assert "Put epoch_20.pth" in found["absent"] and "models/deep3dfacerecon" in found["absent"].replace("\\", "/")
    assert "b.pth does not hold a Deep3DFaceRecon network (279 tensors): 279 missing (backbone.conv1" in found["wrong"]
    assert "trained with the recogniser ArcFace iresnet 0123abcd, and" in found["other recogniser"]
    assert "made by Deep3DFaceRecon, the controller was trained with landmarks" in found["other way"]
    assert "made by landmarks, the controller was trained with Deep3DFaceRecon" in found["this way"]
