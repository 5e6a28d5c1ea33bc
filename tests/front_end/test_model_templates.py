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
RELEASED, PRACTICAL = "fuse_any_part_as_published", "fuse_any_part_with_prompt_and_lora"
IP_ADAPTER = "parts_of_several_people_by_ip_adapter"
EDITS = ("facex_face_swap", "facex_head_swap", "facex_hair", "facex_attribute_edit")
SAM_3 = "hair_by_a_prompt_with_sam_3"
PHOTOS = [example(role) for role in ("target", "eyes", "nose", "mouth")]
REFINED = ("composite_refined_by_sdxl", "composite_refined_by_a_flow_model")


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
        prompt = hurried(as_prompt(page))
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
    place_blueprint(page, "Eyes, Nose, Mouth by FuseAnyPart", PHOTOS)
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
    most = 0.7 if name == "facex_head_swap" else 0.5
    assert 0.001 < changed.mean() < most, f"the IP-Adapter changed {changed.mean():.1%} of the picture"


@pytest.mark.parametrize("name", REFINED)
def test_a_composite_is_refined(server: Server, page: Any, made: dict, name: str):
    changed = np.abs(picture(server, page, made, name) - target(server)).max(-1) > 8
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


def test_no_template_with_models_is_left_out():
    assert {RELEASED, PRACTICAL, IP_ADAPTER, SAM_3, *EDITS, *REFINED} == set(MODEL_TEMPLATES)
