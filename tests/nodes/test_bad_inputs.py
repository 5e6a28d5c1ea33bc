"""Unsuitable inputs over all nodes, in every host: none crashes, and each says what came and what is needed."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.hosts import NODE_IDS
from support.measured import measure, usable_hosts

# The input by another name in the sentence: what is wired into a growing input, and what a strength belongs to.
ALSO = {
    "references": r"reference\d*", "representations": r"representation", "strength": r"strength", "more": "parts",
    "eyes_strength": "the strength of 'eyes'", "controller_name": "Face Controller Load", "start": "start|end",
    "photographs": r"photograph\d*",
    "start_percent": "start_percent|end_percent", "parts": "parts|face", "positive": "positive|negative",
}  # fmt: skip


@pytest.fixture(scope="module", params=usable_hosts())
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_faces: Path) -> Any:
    photo = shared_faces / "photos" / "skimage_astronaut.png"
    return measure(request.param, "bad_inputs.py", tmp_path_factory.mktemp("bad inputs ü 顔"), str(photo))


@pytest.fixture(scope="module")
def cases(report: Any) -> Any:
    return report["cases"]


def test_the_packs_folder_may_be_read_only_and_the_network_absent(report):
    assert report["outside"] == []


def named(case: dict[str, str]) -> str:
    return f"{case['node']}, {case['input']} {case['what']}: {case['kind']} {case['text'][:300]} ({case['at']})"


def test_there_are_hundreds_of_cases_and_every_node_has_some(cases):
    assert len(cases) >= 250 and {case["node"] for case in cases} == NODE_IDS
    assert len({(case["node"], case["input"], case["what"]) for case in cases}) == len(cases)


def test_none_is_accepted_and_none_crashes(cases):
    """TypeError is the host's word for a wire of another kind; its sentence is as full."""
    wrong = [case for case in cases if case["kind"] not in ("ValueError", "TypeError", "FileNotFoundError")]
    assert not wrong, "\n".join(map(named, wrong))


def test_every_message_is_a_sentence_that_names_the_input(cases):
    nameless = [
        case for case in cases if not re.search(rf"\b{case['input']}\b|{ALSO.get(case['input'], '$^')}", case["text"])
    ]
    assert not nameless, "\n".join(map(named, nameless))


def test_every_message_says_what_came_and_what_is_needed(cases):
    torch_words = re.compile(
        r"size of tensor|must match the size|expected|Traceback|object has no|not subscriptable|Tensor'>"
    )
    for case in cases:
        text = case["text"]
        assert len(text.split()) >= 6 and "\n" not in text and not torch_words.search(text), named(case)
        # What is wrong, and after it what is needed or to be done.
        assert len(re.split(r"[;:.] |, (?:needed|which|and)|; ", text)) >= 2, named(case)


def test_few_sentences_serve_many_inputs(cases):
    """One kind of fault has one wording in every node."""
    shapes = [c for c in cases if c["what"] == "NaN" and c["input"] in ("image", "images", "onto")]
    assert len(shapes) >= 4
    assert len(Counter(re.sub(r"^\w+", "", case["text"]) for case in shapes)) == 1
