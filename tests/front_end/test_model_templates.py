"""The templates and the blueprint that need models, from end to end with random weights in every real host.

Switched off and on: what waits in a template (a LoRA, an IP-Adapter) changes the picture when it is switched on.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.browser import as_prompt, open_front_end, open_graph, place_blueprint, why_none
from support.hosts import Server
from support.measured import INSIDE, measure, usable_hosts
from support.templates import (
    MODEL_TEMPLATES,
    NOTES,
    QUICK,
    as_api,
    bypassed,
    example,
    hurried,
    pixels,
    runs_on,
    saved_by,
    served,
)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_none()), reason=why_none())]
HOSTS = usable_hosts()
# Not named after the host alone, so that all hosts are one group and share the weights.
WITH_MODELS = [pytest.param(*host.values, id=f"models in {host.id}", marks=host.marks) for host in HOSTS]
RELEASED, PRACTICAL = "60 FuseAnyPart as Published", "61 FuseAnyPart, Prompt and LoRA"
IP_ADAPTER = "50 Parts of People by IP-Adapter"
EDITS = ("70 FaceX Face Swap", "71 FaceX Head Swap", "72 FaceX Hair", "73 FaceX Attribute Edit")
SWAP = "20 Face Swap in a Group"
HALVES, FRAMES, SAVED = (
    "21 Face Swap, Upper and Lower Half",
    "22 Face Swap in All Frames",
    "23 A Face Saved and Used Again",
)
SAM_3 = "51 Hair by a Prompt with SAM 3"
PHOTOS = [example(role) for role in ("target", "eyes", "nose", "mouth")]
HEADS = ("30 Head Swap by SDXL", "31 Head Swap by a ControlNet")
PEOPLE = ("40 One Person by Prompt", "41 Three Photographs, One Person", "42 Three People and a Pose")
REFERENCE = "24 Face Swap by a Reference"
DESCRIBED = "12 Swap, Prompted by Its Face"
REFINED = ("10 Swap, Borders Mended by SDXL", "11 Swap, Borders by a Flow Model", DESCRIBED)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """1 GB."""
    base = tmp_path_factory.mktemp("weights")
    measure(HOSTS[-1].values[0], "template_weights.py", base)
    yield base / "models"
    for file in (base / "models").rglob("*"):
        if file.is_file():
            file.unlink()


@pytest.fixture(scope="module", params=WITH_MODELS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Iterator[Server]:
    running = Server(request.param, tmp_path_factory.mktemp("models"))
    (running.base / "models").rmdir()
    (running.base / "models").symlink_to(weights)
    shutil.copy(INSIDE / "shallow_clip.py", running.base / "custom_nodes")
    with running:
        yield running


@pytest.fixture(scope="module")
def page(browser: Any, server: Server) -> Iterator[Any]:
    shown = open_front_end(browser, server.address)
    yield shown
    shown.close()


@pytest.fixture(scope="module")
def made(server: Server, page: Any) -> dict[tuple[str, bool], np.ndarray]:
    """What was made: template, switched on or not -> picture."""
    return {}


def picture(server: Server, page: Any, made: dict, name: str, on: bool = False) -> np.ndarray:
    """What the template makes, with the nodes that wait in it switched on or as they are."""
    if (name, on) not in made:
        open_graph(page, served(server, name))
        if on:
            switch_on(page, [int(node) for node in bypassed(MODEL_TEMPLATES[name])])
        prompt = smaller(hurried(as_prompt(page)))
        file = server.image(server.queue(prompt, patience=600), saved_by(prompt))
        assert b"compositeWithTrainedAlgorithmicMedia" in file
        made[name, on] = pixels(file)
    return made[name, on]


def switch_on(page: Any, nodes: list[int]) -> None:
    """As the notes say: select them, Ctrl+B."""
    page.evaluate("ids => app.canvas.selectItems(ids.map(id => app.graph.getNodeById(id)))", nodes)
    page.evaluate("() => app.canvas.canvas.focus()")
    page.keyboard.press("Control+b")
    page.wait_for_function("ids => ids.every(id => app.graph.getNodeById(id).mode === 0)", arg=nodes, timeout=10_000)


def target(server: Server) -> np.ndarray:
    return pixels((server.base / "input" / PHOTOS[0]).read_bytes())


def test_every_host_knows_every_node(server: Server):
    known = set(server.get_json("/object_info"))
    for name, workflow in MODEL_TEMPLATES.items():
        kinds = {node["type"] for node in workflow["nodes"] if runs_on(workflow, server.host)} - {*NOTES}
        assert kinds <= known, f"{name} in ComfyUI {server.host.version}"


def test_fuse_any_part_as_published_runs(server: Server, page: Any, made: dict):
    assert picture(server, page, made, RELEASED).shape == (512, 512, 3)


def test_its_blueprint_gives_the_same_picture(server: Server, page: Any, made: dict):
    wanted = picture(server, page, made, RELEASED)
    place_blueprint(page, "FuseAnyPart for Eyes, Nose, Mouth", PHOTOS)
    prompt = hurried(as_prompt(page))
    (save,) = [number for number, node in prompt.items() if node["class_type"] == "SaveImage"]
    file = server.image(server.queue(prompt, patience=600), save)
    assert np.array_equal(pixels(file), wanted)


def test_fuse_any_part_with_a_prompt_runs_and_its_lora_counts(server: Server, page: Any, made: dict):
    without, with_lora = (picture(server, page, made, PRACTICAL, on) for on in (False, True))
    assert without.shape == target(server).shape and "lora key not loaded" not in server.log()
    changed = np.abs(with_lora - without).max(-1) > 8
    assert 0.005 < changed.mean() < 0.5, f"the LoRA changed {changed.mean():.1%} of the picture"


def test_parts_by_ip_adapter_run(server: Server, page: Any, made: dict):
    changed = np.abs(picture(server, page, made, IP_ADAPTER) - target(server)).max(-1) > 8
    assert 0.005 < changed.mean() < 0.5


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_runs_and_its_ip_adapter_counts(server: Server, page: Any, made: dict, name: str):
    with_adapter, without = (picture(server, page, made, name, on) for on in (True, False))
    assert without.shape == target(server).shape
    changed = np.abs(with_adapter - without).max(-1) > 8
    # A head with its hair fills more of a portrait than a face does.
    most = 0.7 if name == "71 FaceX Head Swap" else 0.5
    assert 0.001 < changed.mean() < most, f"the IP-Adapter changed {changed.mean():.1%} of the picture"


@pytest.mark.parametrize("name", REFINED)
def test_a_composite_is_refined(server: Server, page: Any, made: dict, name: str):
    changed = np.abs(picture(server, page, made, name) - target(server)).max(-1) > 8
    assert 0.005 < changed.mean() < 0.5


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_swapped_and_the_rest_is_the_photograph(server: Server, page: Any, made: dict, name: str):
    done = picture(server, page, made, name)
    changed = np.abs(done - target(server)).max(-1)
    # The host's decoder of JPEG files and this one differ by a step or two.
    assert done.shape == target(server).shape and (changed > 8).mean() > 0.1 and (changed <= 3).mean() > 0.1


def test_the_layout_leads_the_model(server: Server, page: Any, made: dict):
    led = picture(server, page, made, HEADS[1])
    prompt = hurried(without_strength(as_api(MODEL_TEMPLATES[HEADS[1]])))
    free = pixels(server.image(server.queue(prompt, patience=600), saved_by(prompt)))
    assert 0.001 < (np.abs(led - free).max(-1) > 4).mean() < 0.9


def without_strength(prompt: dict[str, Any]) -> dict[str, Any]:
    for node in prompt.values():
        if node["class_type"] == "ControlNetApplyAdvanced":
            node["inputs"]["strength"] = 0.0
    return prompt


@pytest.mark.parametrize("name", PEOPLE)
def test_new_pictures_of_people_are_made_and_the_photographs_count(server: Server, page: Any, made: dict, name: str):
    with_people = picture(server, page, made, name)
    prompt = smaller(hurried(as_api(MODEL_TEMPLATES[name])))
    for node in prompt.values():
        if node["class_type"] == "FacePerson":
            node["inputs"]["strength"] = 0.0
    without = pixels(server.image(server.queue(prompt, patience=600), saved_by(prompt)))
    # Weights at random pay little attention to anyone; the same picture made twice is the same to the bit.
    assert with_people.shape == without.shape and (np.abs(with_people - without).max(-1) > 2).mean() > 0.02


def smaller(prompt: dict[str, Any]) -> dict[str, Any]:
    """As `hurried`, for the size of a new picture, in the shape that it has."""
    for node in prompt.values():
        if node["class_type"] == "EmptyLatentImage":
            node["inputs"] |= {key: node["inputs"][key] // 4 for key in ("width", "height")}
        if node["class_type"] == "KSampler":
            # As in the run that it is compared with.
            node["inputs"]["seed"] = 1
    return prompt


def test_a_face_is_made_anew_after_a_photograph(server: Server, page: Any, made: dict):
    changed = np.abs(picture(server, page, made, REFERENCE) - target(server)).max(-1) > 8
    assert 0.005 < changed.mean() < 0.5


def test_masks_in_the_place_of_sam_3_become_parts_and_the_hair_is_made_anew(server: Server):
    """SAM 3 itself has a thousand million weights; a rectangle stands for each of its masks."""
    prompt = hurried(as_api(MODEL_TEMPLATES[SAM_3]))
    for node in prompt.values():
        if node["class_type"] == "SAM3_Detect":
            node |= {"class_type": "SolidMask", "inputs": {"value": 1.0, "width": QUICK["size"], "height": 24}}
        if node["class_type"] == "FaceParse":
            hair = node["inputs"]["hair"]
    under = {"value": 0.0, "width": QUICK["size"], "height": QUICK["size"]}
    prompt["under"] = {"class_type": "SolidMask", "inputs": under}
    prompt["hair"] = {
        "class_type": "MaskComposite",
        "inputs": {"destination": ["under", 0], "source": hair, "x": 0, "y": 0, "operation": "add"},
    }
    for node in prompt.values():
        if node["class_type"] == "FaceParse":
            node["inputs"] |= {"hair": ["hair", 0], "ears": ["hair", 0], "body": ["hair", 0]}
    made = pixels(server.image(server.queue(prompt, patience=600), saved_by(prompt)))
    changed = np.abs(made - target(server)).max(-1) > 8
    assert 0.02 < changed.mean() < 0.4


def test_one_face_of_a_group_is_swapped(server: Server, page: Any, made: dict):
    swapped = picture(server, page, made, SWAP)
    # The front end brought it when it opened the template.
    group = pixels((server.base / "input" / example("group")).read_bytes())
    changed = np.abs(swapped - group).max(-1) > 8
    third = group.shape[1] // 3
    # Hosts read a JPEG a little differently from one another, along edges.
    assert changed[:, third : 2 * third].mean() > 0.05 and changed[:, :third].mean() < 0.001


@pytest.mark.parametrize("name", [HALVES, FRAMES, SAVED])
def test_one_person_is_swapped(server: Server, page: Any, made: dict, name: str):
    """Of the frames the first is kept in `made`."""
    changed = np.abs(picture(server, page, made, name) - target(server)).max(-1) > 8
    assert 0.02 < changed.mean() < 0.4
    assert name != SAVED or (server.base / "models" / "face_identities" / "my person.safetensors").is_file()


def test_no_template_with_models_is_left_out():
    swaps = {SWAP, HALVES, FRAMES, SAVED}
    named = {RELEASED, PRACTICAL, IP_ADAPTER, SAM_3, REFERENCE, *swaps, *EDITS, *HEADS, *REFINED, *PEOPLE}
    assert named == set(MODEL_TEMPLATES)
