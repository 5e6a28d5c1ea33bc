"""OmniRepresentationCondition steered by controllers in real hosts: small SD1.5 of all 16 blocks, random weights."""

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
    return measure(request.param, "omni_controllers.py", base, str(base / "photo.png"))


def test_of_two_people_each_steers_its_own_region_and_nothing_else(figures):
    found = figures["two"]
    names = ["eyes of the source", "lips of the source 2"]
    assert found["names"] == names and found["tokens"] == 0
    for name in names:
        assert found[name]["outside"] == 0 < found[name]["inside"] and found[name]["cells"] > 10
    assert found["outside both"] == 0 < found["inside both"]
    assert found["at most"] <= 1


def test_a_face_is_steered_region_by_region_and_the_photograph_around_it_is_kept(figures):
    found = figures["ip"]
    assert found["swap"] == [
        "eyebrows of the source", "eyes of the source", "lips of the source 2", "nose of the source",
        "skin of the source",
    ]  # fmt: skip
    assert found["swap at most"] < 1 + 1e-5 and found["swap in the middle"] == pytest.approx(1)
    assert found["outside"] == 0


def test_strength_0_is_the_unsteered_model_exactly_and_more_is_not(figures):
    assert figures["ip"]["off"] and figures["facex"]["off"]
    assert figures["ip"]["moved"] > 1 and figures["ip"]["late"] > 1


def test_a_facex_controller_at_initialisation_changes_nothing_and_a_trained_one_does(figures):
    assert figures["facex"]["new"] and figures["facex"]["trained"] > 1


def test_it_is_what_the_small_nodes_make_when_wired_by_hand(figures):
    found = figures["facex"]["by hand"]
    assert found["picture"] and found["same"] and found["moved"] > 1


@pytest.mark.parametrize("task", ["face swap", "attribute edit", "reenact"])
def test_without_a_prompt_facex_own_tokens_are_the_conditioning(figures, task):
    found = figures["facex"]["tokens"][task]
    assert found["same"] and found["empty"] and found["sampled"] and found["shape"] == [1, 269, 768]
    assert found["other motion"] > 0.01 and found["other regions"] > 0.01


def test_reenactment_starts_from_the_source_and_makes_all_of_it_anew(figures):
    found = figures["facex"]["reenact"]
    assert found["picture"] and found["mask"] == 1 and found["moved"] > 1
    assert found["report"].startswith("source: eyebrows, eyes")


def test_it_lives_with_a_lora_an_output_patch_and_a_control_net(figures):
    found = figures["together"]
    assert found["accepted"] == 1 and found["control net"] > 0.1 and found["output patch and weights"] > 0.1
    assert found["off"] and found["new"] and found["parent"]
    assert found["ip"] > 1 and found["facex"] > 1


def test_batches_keep_their_places(figures):
    found = figures["batches"]
    assert found["shapes"] == [[2, 160, 160, 3], [2, 160, 160], [2, 4, 20, 20]]
    assert found["empty"] == 0 == found["kept"] and found["changed"] > 1
    assert found["one target"] == [[2, 160, 160, 3], [2, 4, 20, 20]] and found["differ"] > 0.1
    assert found["facex"] == [2, 4, 20, 20]


def test_a_mask_limits_the_soft_edge_too_and_cells_of_any_size_are_met(figures):
    found = figures["masks"]
    assert found["outside"] == 0 == found["inside"] and found["soft"] > 100
    assert found["scaled"] < 0.05
    assert found["cells"] == [[1, 64, 96, 3], [1, 64, 96]]


def test_a_pasted_face_takes_the_targets_tone_and_single_features_keep_theirs(figures):
    found = figures["tones"]
    assert found["matched"] < 0.03 < 0.1 < found["raw"]
    assert found["outside"] == 0 == found["grey"] == found["lips"]


@pytest.mark.parametrize(
    ("case", "said"),
    {
        "ip family": "controller is an IP-Adapter for SDXL", "ip flow": "use an SD1.5 or SDXL checkpoint",
        "ip encoder": "load the CLIP vision model that belongs to it (CLIP ViT-H/14",
        "ip nobody": "nobody but the source gives a region", "ip prompt": "negative is not wired in",
        "facex family": "controller is for the family 'sd2'", "facex flow": "and model has no such cross-attention",
        "ip source": "the face of the source is needed, but parts: picture 2 of 2 has no chosen face",
        "facex encoder": "clip_vision is CLIP ViT-H/14 at 224 pixels; the controller was trained with CLIP ViT-L/14",
        "facex provider": "controller was trained with the representation 'pose' from Deep3DFaceRecon",
        "facex recogniser": "or take a controller that was made without identity",
        "facex target": "the face of the target is needed, but parts: picture 1 of 1 has no chosen face",
        "reenact by ip": "without one 'face swap', 'head swap', 'attribute edit' and 'inpaint' work",
        "reenact alone": "nobody is wired into source", "source": "face swap needs a face in the source",
        "target": "use the task 'inpaint' with a mask of your own",
        "empty": "mask is empty; paint white",
        "elsewhere": "face swap leaves nothing to be made anew", "no mask": "but no mask is wired in",
        "shape": "(here the pictures are the source's, which this task changes)",
        "tiny": "the picture is 4 x 4 pixels, and one cell of this VAE's latent 8 x 8",
        "range": "end is 0.5 and start 0.5", "range facex": "end is 0.5 and start 0.5",
        "tone": "tone is 2.0; it goes from 0",
    }.items(),
)  # fmt: skip
def test_what_does_not_belong_together_is_named_with_the_way_out(figures, case, said):
    assert said in figures["refusals"][case], figures["refusals"][case]


def test_errors_during_sampling_name_this_node(figures):
    assert figures["owners"] == {name: ["Omni Representation Condition"] * 2 for name in ("ip", "facex")}
