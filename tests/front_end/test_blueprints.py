"""The blueprints that need no model, in every front end: added from the search box and run with the button."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browser import as_prompt, open_front_end, open_graph, place_blueprint, show_all, why_none
from support.hosts import FOLDER, Server
from support.measured import usable_hosts
from support.templates import (
    BLUEPRINTS,
    FIRST,
    SECOND,
    TEMPLATES,
    assert_same,
    offer_models,
    pixels,
    runs_on,
    saved_by,
    served,
)

pytestmark = pytest.mark.skipif(bool(why_none()), reason=why_none())
# Blueprint -> the template of which it is the middle.
NAMES = {
    "Eyes, Nose, Mouth from Three People": SECOND,
    "Head of One Person, Body of Another": "05 Head Swap, a Draft (no model)",
}
HOSTS = usable_hosts()
# A host's own front end, as old as the host, where the package beside the host is a newer one.
OLDER = os.environ.get("FRONT_END_ROOT", "")
NO_OLDER = "FRONT_END_ROOT names no folder with the oldest host's own front end (its index.html)"
older = pytest.mark.skipif(not (Path(OLDER) / "index.html").is_file() or not OLDER, reason=NO_OLDER)
OLDEST = [pytest.param(*HOSTS[0].values, id=f"{HOSTS[0].id}, its own", marks=[*HOSTS[0].marks, older])]


@pytest.fixture(scope="module", params=OLDEST)
def old_front_end(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(request.param, tmp_path_factory.mktemp("old_front_end"), "--front-end-root", OLDER)
    offer_models(running)
    with running:
        yield running


@pytest.fixture(scope="module")
def old_page(browser: Any, old_front_end: Server) -> Iterator[Any]:
    shown = open_front_end(browser, old_front_end.address)
    # Older front ends show the templates at the first start.
    shown.get_by_role("dialog").get_by_text(FOLDER).first.click(timeout=60_000)
    shown.get_by_test_id(f"template-workflow-{FIRST}").click()
    shown.get_by_role("dialog").first.wait_for(state="hidden", timeout=10_000)
    yield shown
    shown.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_blueprint_runs_with_the_button_and_gives_the_templates_picture(
    server: Server, page: Any, name: str, tmp_path: Path
):
    run_blueprint(server, page, name, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_it_does_so_in_the_hosts_own_front_end(old_front_end: Server, old_page: Any, name: str, tmp_path: Path):
    run_blueprint(old_front_end, old_page, name, tmp_path)


def run_blueprint(server: Server, page: Any, name: str, tmp_path: Path) -> None:
    open_graph(page, served(server, NAMES[name]))
    template = as_prompt(page)
    photos = [node["inputs"]["image"] for node in template.values() if node["class_type"] == "LoadImage"]
    if BLUEPRINTS[name]["nodes"][0]["inputs"][0]["name"] == "body":
        # The template has the head first; a bypassed blueprint hands on its first photograph.
        photos.reverse()
    wanted = pixels(server.image(server.queue(template), saved_by(template)))
    before = set(server.get_json("/history"))

    page.errors.clear()
    place_blueprint(page, name, photos)
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


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_opens_whole_in_the_hosts_own_front_end(
    old_front_end: Server, old_page: Any, name: str, tmp_path: Path
):
    server, page = old_front_end, old_page
    if not runs_on(TEMPLATES[name], server.host):
        pytest.skip(f"a node of this template came after ComfyUI {server.host.version}")
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
