"""The neck between a new head and a body."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.fusion.regions.complete import grown_within
from face_part_fusion.fusion.regions.layout import BACKGROUND, FACE, HAIR, NECK
from face_part_fusion.fusion.regions.pair import complete_layout, make_layout
from support.drawn_people import drawn_person


def layout(head, body):
    return complete_layout(make_layout(head, body, fit="as it is")).pairs[0]


def edges(area, row):
    columns = torch.nonzero(area[row] > 0.5).flatten()
    return int(columns[0]), int(columns[-1])


@pytest.mark.parametrize(("own", "other"), [(1.0, 1.6), (1.6, 1.0), (1.3, 1.3)])
def test_a_neck_runs_from_the_jaw_to_the_bodys_own_width(own, other):
    pair = layout(drawn_person(neck_width=own), drawn_person(neck_width=other))
    neck = pair.areas[NECK]
    left, right = edges(neck, 178)
    assert right - left == pytest.approx(other * 50, abs=4)
    # Without a gap or a step: neighbouring rows differ by little.
    person = pair.areas[[NECK, FACE, HAIR]].sum(0)
    sides = torch.tensor([edges(person, row) for row in range(130, 179)])
    assert int(sides.diff(dim=0).abs().max()) <= 4
    assert bool((person[130:178, 80:120] > 0.9).all())


def test_an_old_neck_beside_a_narrower_face_does_not_stand_out():
    """As wide as shoulders it would be a horn beside the jaw."""
    broad = drawn_person(neck_width=3.0, unit=50)
    slim = drawn_person(unit=38, y=92)
    pair = layout(slim, broad)
    person = pair.areas[[NECK, FACE, HAIR]].sum(0)
    left, right = edges(person, int(pair.head_neck.chin[1]) - 30)
    old_left, old_right = edges(pair.body_areas[[NECK, FACE]].sum(0), int(pair.body_neck.chin[1]) + 5)
    assert left > old_left + 15 and right < old_right - 15
    assert pair.areas[BACKGROUND][int(pair.head_neck.chin[1]) - 30, old_left + 5] > 0.9


def test_hair_over_a_heads_own_neck_does_not_narrow_the_new_one():
    pair = layout(drawn_person(hair_length=1.6), drawn_person())
    left, right = edges(pair.areas[NECK], 176)
    assert right - left == pytest.approx(1.3 * 50, abs=4)


def test_what_hangs_together_is_kept_over_gaps_of_a_cell_or_two():
    area = torch.zeros(20, 40, dtype=torch.bool)
    area[5:15, 2:8] = area[5:9, 10:20] = area[8:12, 26:30] = True
    seed = torch.zeros_like(area)
    seed[12, 3] = True
    grown = grown_within(seed, area)
    assert bool(grown[5:15, 2:8].all()) and bool(grown[5:9, 10:20].all())
    assert not bool(grown[:, 22:].any()) and bool((grown <= area).all())
    assert not bool(grown_within(torch.zeros_like(area), area).any())
