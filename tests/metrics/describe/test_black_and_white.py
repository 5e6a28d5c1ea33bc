"""Black-and-white photographs: what is measured by colour is left out."""

from __future__ import annotations

import pytest
from face_part_fusion.detectors.parser_builtin import BuiltinParser
from face_part_fusion.detectors.parser_regions import parse_with_builtin
from face_part_fusion.metrics.describe.choose import conditions, fit_of
from face_part_fusion.metrics.describe.compare import compare
from face_part_fusion.metrics.describe.describe import MEASURED_BY_COLOUR, describe


@pytest.fixture(scope="module")
def descriptions(astronaut):
    """The same face in colour and in grey."""
    parts = parse_with_builtin(astronaut, BuiltinParser())
    picture, face = parts.pictures[0], parts.face(0)
    return describe(picture, face), describe(picture.mean(-1, keepdim=True).expand(-1, -1, 3).contiguous(), face)


def test_what_is_measured_by_colour_is_left_out_and_nothing_else(descriptions):
    in_colour, grey = descriptions
    assert set(in_colour) - set(grey) == set(MEASURED_BY_COLOUR) and set(grey) < set(in_colour)


def test_it_neither_fits_nor_counts_as_a_change(descriptions):
    in_colour, grey = descriptions
    assert all("black and white" in one for one in fit_of(grey, conditions("beard, no beard, teeth")).failed)
    assert len(fit_of(grey, conditions("beard, no beard, teeth")).failed) == 3
    for changes in (compare(in_colour, grey), compare(grey, in_colour)):
        assert not {change.name for change in changes} & set(MEASURED_BY_COLOUR)
