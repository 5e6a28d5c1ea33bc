"""FaceX's controller beside AdditionInject, and edits of several people by it, in real hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.measured import measure, usable_hosts

NAMES = ("A released", "A practical", "B released", "B practical")


@pytest.fixture(scope="module", params=usable_hosts())
def addition(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(request.param, "facex_addition.py", tmp_path_factory.mktemp("addition"))


@pytest.fixture(scope="module", params=usable_hosts())
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    base: Path = tmp_path_factory.mktemp("chain")
    Image.fromarray(data.astronaut()).save(base / "photo.png")
    return measure(request.param, "facex_chain.py", base, str(base / "photo.png"))


@pytest.mark.parametrize("name", NAMES)
def test_with_addition_inject_both_act_and_in_either_order_the_controller_acts_on_what_was_added(addition, name):
    found = addition[name]
    acts = ("addition acts", "controller acts", "both against addition", "both against controller")
    assert min(found[key] for key in acts) > 0.1
    assert found["order"] == 0 and found["plain"] < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_either_one_switched_off_leaves_the_other_exactly(addition, name):
    found = addition[name]
    same = ["zero", "controller off", "addition afterwards", "model afterwards"]
    same += ["addition off"] if "practical" in name else []
    assert {key: found[key] for key in same} == dict.fromkeys(same, 0.0)


@pytest.mark.parametrize("kind", "AB")
def test_both_live_with_a_lora_and_with_attention_that_was_replaced(addition, kind):
    found = addition["everything"][kind]
    assert found["accepted"] == 1 and found["lora"] < 1e-4 < 0.01 < found["lora acts"]
    assert found["replaced, order"] == 0 and found["replaced, controller acts"] > 0.1


def test_of_four_people_each_reaches_only_the_tokens_that_are_theirs_to_give(chain):
    assert chain["mixed"]["changed"] == {
        "target": ["background", "ears", "inpaint", "lighting"],
        "source": ["eyebrows", "identity", "lips", "nose", "skin", "texture"],
        "source_2": ["hair"], "source_3": ["eyes"], "the target's pose": ["pose"],
    }  # fmt: skip
    assert chain["mixed"]["report"].startswith("target: ears, background\nsource: eyebrows, nose, lips, skin\n")


def test_it_does_not_matter_which_wire_a_person_comes_through(chain):
    found = chain["mixed"]
    assert found["shape"] == [1, 318, 768] and found["finite"]
    assert found["order of wires"] == 0 and found["other wires"] > 0.01 and found["acts"] > 0.01


def test_controllers_behind_each_other_with_masks_of_their_own_do_not_depend_on_their_order(chain):
    found = chain["halves"]
    assert found["order"] == 0 == found["second off"] == found["model afterwards"]
    assert found["first acts"] > 0.1 and found["second acts"] > 0.1
    assert found["outside"] == 0 < found["inside"]


def test_one_person_in_two_halves_is_that_person_everywhere(chain):
    assert chain["halves"]["one person in two halves"] == 0


def test_identity_motion_hair_and_eyes_are_edited_one_after_the_other(chain):
    found = chain["in turn"]
    assert list(found) == ["identity", "motion", "hair", "eyes"]
    assert all(edit["kept"] == 0 < 1 < edit["changed"] for edit in found.values())
    cells = {name: edit["cells"] for name, edit in found.items()}
    assert cells["motion"] == 0 < 100 < cells["identity"] < cells["hair"] < cells["eyes"]
