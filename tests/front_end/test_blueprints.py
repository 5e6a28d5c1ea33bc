"""The blueprint that needs no model, in every front end: added from the search box and run with the button."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browser import as_prompt, front_end, open_graph, place_blueprint, show_all, why_none
from support.hosts import FOLDER, Server
from support.measured import usable_hosts
from support.templates import FIRST, MODEL_TEMPLATES, TEMPLATES, assert_same, model_files, pixels, saved_by, served

pytestmark = pytest.mark.skipif(bool(why_none()), reason=why_none())
NAME = "Eyes, Nose, Mouth from Three People"
HOSTS = usable_hosts()
# A host's own front end, as old as the host, where the package beside the host is a newer one.
OLDER = os.environ.get("FRONT_END_ROOT", "")
NO_OLDER = "FRONT_END_ROOT names no folder with the oldest host's own front end (its index.html)"
older = pytest.mark.skipif(not (Path(OLDER) / "index.html").is_file() or not OLDER, reason=NO_OLDER)
PLACES = [pytest.param((*host.values, ""), id=host.id, marks=host.marks) for host in HOSTS]
OLD_PLACE = pytest.param((*HOSTS[0].values, OLDER), id=f"{HOSTS[0].id}, its own", marks=[*HOSTS[0].marks, older])


@pytest.fixture(scope="module", params=[*PLACES, OLD_PLACE])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    host, root = request.param
    running = Server(host, tmp_path_factory.mktemp("blueprints"), *(("--front-end-root", root) if root else ()))
    for model in model_files(MODEL_TEMPLATES.values()):
        file = running.base / "models" / model["directory"] / model["name"]
        file.parent.mkdir(exist_ok=True)
        file.touch()
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def page(server: Server) -> Iterator[Any]:
    with front_end(server.address) as page:
        if server.options:
            # Older front ends show the templates at the first start.
            page.get_by_role("dialog").get_by_text(FOLDER).first.click(timeout=60_000)
            page.get_by_test_id(f"template-workflow-{FIRST}").click()
            page.get_by_role("dialog").first.wait_for(state="hidden", timeout=10_000)
        yield page


def test_the_blueprint_runs_with_the_button_and_gives_the_templates_picture(server: Server, page: Any, tmp_path: Path):
    open_graph(page, served(server, FIRST))
    template = as_prompt(page)
    photos = [node["inputs"]["image"] for node in template.values() if node["class_type"] == "LoadImage"]
    wanted = pixels(server.image(server.queue(template), saved_by(template)))
    before = set(server.get_json("/history"))

    page.errors.clear()
    place_blueprint(page, NAME, photos)
    show_all(page)
    page.screenshot(path=str(tmp_path / "blueprint.png"))
    page.get_by_test_id("queue-button").click()
    run = finished(server, before)
    (save,) = [number for number, node in run["prompt"][2].items() if node["class_type"] == "SaveImage"]
    assert (pixels(server.image(run, save)) == wanted).all()
    assert [error for error in page.errors if FOLDER in error or "face_part" in error] == []


def finished(server: Server, before: set[str], patience: float = 120) -> dict[str, Any]:
    """The history entry of the next run that is done."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        new = {key: run for key, run in server.get_json("/history").items() if key not in before}
        if new:
            return next(iter(new.values()))
        time.sleep(0.2)
    raise AssertionError(f"nothing was run in {patience:.0f} s:\n{server.log()[-2000:]}")


@pytest.mark.parametrize("server", [OLD_PLACE], indirect=True)
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_opens_whole_in_the_hosts_own_front_end(server: Server, page: Any, name: str, tmp_path: Path):
    page.errors.clear()
    open_graph(page, served(server, name))
    missing = page.evaluate("app.graph._nodes.map(n => n.type).filter(t => !LiteGraph.registered_node_types[t])")
    prompt = as_prompt(page)
    show_all(page)
    page.screenshot(path=str(tmp_path / f"{name}.png"))
    assert missing == [] and page.errors == []
    photos = {node["inputs"]["image"] for node in prompt.values() if node["class_type"] == "LoadImage"}
    assert photos and all((server.base / "input" / photo).is_file() for photo in photos)
    assert_same(prompt, TEMPLATES[name])
