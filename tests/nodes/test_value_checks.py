"""A number out of range, NaN and a choice not listed, which may come over a wire: each a sentence, in every node."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.hosts import NODE_IDS
from support.measured import measure, usable_hosts


@pytest.fixture(scope="module", params=usable_hosts())
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return measure(request.param, "value_checks.py", tmp_path_factory.mktemp("values"))


def test_every_unsuitable_value_is_refused_with_the_inputs_name_and_range(report):
    assert len(report["cases"]) > 900 and {case[0] for case in report["cases"]} == NODE_IDS
    for node, name, value, bounds, kind, text in report["cases"]:
        what = f"{node}, {name} is {value}: {kind} {text}"
        assert kind == "ValueError" and re.match(rf"(\w+\.)?{name} is .+; ", text), what
        assert all(str(bound) in text for bound in bounds), what
        assert bounds or re.search(r"choose one of \w|true or false|it is a text|name of a file", text), what


def test_every_value_of_the_schema_passes(report):
    """What is missing is said by Python, or by the node itself for a file that is not there."""
    assert len(report["accepted"]) > 400
    for node, name, value, kind, text in report["accepted"]:
        refused = re.match(rf"(\w+\.)?{name} is .+; (it is a|it goes|choose)", text)
        assert kind and not refused, f"{node}, {name} is {value}: {text}"
