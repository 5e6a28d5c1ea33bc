"""Fusion by whole cells: the published program's own numbers, and what must hold for any boxes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from face_part_fusion.fusion.features.cells import cells_of
from face_part_fusion.fusion.features.fuse import fuse_features
from face_part_fusion.fusion.features.records import RELEASED_PARTS
from hypothesis import given, settings
from hypothesis import strategies as st
from support.coded import reference, target, worth

# Boxes of the published samples in 512 pixels, with the cells that the published program takes of them.
MUSK = {"eyes": (202, 160, 259, 356), "nose": (259, 222, 349, 288), "mouth": (349, 206, 384, 308)}
ZUCK_EYES, SAM_NOSE, KOBE_MOUTH = (201, 161, 266, 362), (259, 227, 352, 288), (353, 209, 383, 299)
SYNTHETIC = {"eyes": (0.25, 0.25, 0.5, 0.75), "nose": (0.5, 0.375, 0.75, 0.625), "mouth": (0.75, 0.375, 0.875, 0.625)}
SYNTHETIC_SOURCES = ((0.1, 0.1, 0.3, 0.4), (0.3, 0.2, 0.9, 0.3), (0.9375, 0.5, 0.96, 0.9))

unit = st.floats(0, 1, width=32)
spans = st.tuples(unit, unit).filter(lambda ends: ends[0] != ends[1]).map(sorted)
boxes = st.tuples(spans, spans).map(lambda two: (two[0][0], two[1][0], two[0][1], two[1][1]))
triples = st.tuples(boxes, boxes, boxes)


def of512(box):
    return tuple(value / 512 for value in box)


def released(target_boxes, source_boxes, strengths=(1.0, 1.0, 1.0)):
    face = target("released", dict(zip(RELEASED_PARTS, target_boxes, strict=True)))
    people = [
        reference("released", {part: box}, k, {part: strength})
        for k, (part, box, strength) in enumerate(zip(RELEASED_PARTS, source_boxes, strengths, strict=True), 1)
    ]
    return face, people


@pytest.mark.parametrize(
    ("box", "cells"),
    [
        (MUSK["eyes"], (6, 5, 8, 11)), (MUSK["nose"], (8, 6, 10, 9)), (MUSK["mouth"], (10, 6, 12, 9)),
        (ZUCK_EYES, (6, 5, 8, 11)), (SAM_NOSE, (8, 7, 11, 9)), (KOBE_MOUTH, (11, 6, 12, 9)),
    ],
)  # fmt: skip
def test_the_published_boxes_take_the_published_cells(box, cells):
    assert cells_of(torch.tensor(of512(box)), (16, 16)) == cells


def test_the_published_samples_fuse_to_the_published_map():
    face, people = released([of512(b) for b in MUSK.values()], [of512(b) for b in (ZUCK_EYES, SAM_NOSE, KOBE_MOUTH)])
    expected = worth(0)
    expected[6, 5:11] = torch.arange(1101.0, 1107)
    expected[7, 5:11] = torch.arange(1117.0, 1123)
    expected[8, 6:9] = torch.tensor([2135.0, 2135, 2136])
    expected[9, 6:9] = torch.tensor([2151.0, 2151, 2152])
    expected[10:12, 6:9] = torch.tensor([3182.0, 3183, 3184])
    fused = fuse_features(face, people)
    assert torch.equal(fused.patches[0].view(16, 16), expected)
    assert torch.equal(fused.origin[0], (expected // 1000).long())


def test_boxes_of_very_different_sizes_fuse_to_the_published_map():
    face, people = released(SYNTHETIC.values(), SYNTHETIC_SOURCES)
    expected = worth(0)
    for row, start in zip(range(4, 8), (1017, 1017, 1033, 1049), strict=True):
        expected[row, 4:12] = start + torch.tensor([0.0, 0, 1, 1, 2, 3, 3, 4])
    expected[8:12, 6:10] = torch.tensor([2067.0, 2099, 2147, 2179])[:, None]
    expected[12:14, 6:10] = torch.tensor([3248.0, 3249, 3251, 3252])
    assert torch.equal(fuse_features(face, people).patches[0].view(16, 16), expected)


@settings(deadline=None, max_examples=40)
@given(triples)
def test_the_target_as_its_own_reference_changes_nothing(three):
    face, people = released(three, three)
    own = [replace(person, tokens=dict.fromkeys(person.tokens, face.tokens)) for person in people]
    assert torch.equal(fuse_features(face, own).tokens, face.tokens)


@settings(deadline=None, max_examples=40)
@given(triples, triples)
def test_every_part_takes_its_cells_from_its_own_cells_and_a_later_part_wins(here, there):
    face, people = released(here, there)
    fused = fuse_features(face, people)
    owner = torch.zeros(16, 16)
    for k, box in enumerate(here, 1):
        top, left, bottom, right = cells_of(torch.tensor(box), (16, 16))
        assert top < bottom <= 16 and left < right <= 16
        owner[top:bottom, left:right] = k
    values = fused.patches[0].view(16, 16)
    assert torch.equal(values // 1000, owner) and torch.equal(fused.origin[0], owner.long())
    for k, (part, box) in enumerate(zip(RELEASED_PARTS, there, strict=True), 1):
        top, left, bottom, right = cells_of(torch.tensor(box), (16, 16))
        cell = values[owner == k] - 1000 * k
        assert ((cell // 16 >= top) & (cell // 16 < bottom) & (cell % 16 >= left) & (cell % 16 < right)).all()
        assert torch.equal(fused.parts[part][0], (owner == k).float())


@settings(deadline=None, max_examples=40)
@given(triples, triples, st.permutations(range(3)))
def test_the_order_of_the_references_does_not_matter(here, there, order):
    face, people = released(here, there)
    shuffled = [people[k] for k in order]
    assert torch.equal(fuse_features(face, people).tokens, fuse_features(face, shuffled).tokens)


@settings(max_examples=30, deadline=None)
@given(triples, triples, st.floats(0.01, 0.99))
def test_a_strength_below_1_mixes_linearly_with_the_target(here, there, strength):
    face, people = released(here, there, (strength, 1, 1))
    eyes = fuse_features(face, people[:1]).patches
    whole = fuse_features(face, [replace(people[0], strengths={"eyes": 1.0})]).patches
    mixed = torch.lerp(face.tokens[:, 1:], whole, strength)
    assert torch.allclose(eyes, mixed)


def test_the_class_token_and_the_inputs_stay_as_they_were():
    face, people = released(SYNTHETIC.values(), SYNTHETIC_SOURCES)
    before = face.tokens.clone()
    fused = fuse_features(face, people)
    assert torch.equal(fused.tokens[:, 0], before[:, 0]) and torch.equal(face.tokens, before)


@pytest.mark.parametrize("side", [16, 24, 27])
def test_a_box_at_the_very_end_keeps_the_last_cell(side):
    last = torch.nextafter(torch.tensor(1.0), torch.tensor(0.0))
    box = torch.stack([last, last, torch.tensor(1.0), torch.tensor(1.0)])
    assert cells_of(box, (side, side)) == (side - 1, side - 1, side, side)


@pytest.mark.parametrize(
    "box", [(0.5, 0.1, 0.4, 0.3), (0.5, 0.3, 0.6, 0.3), (1.0, 0.0, 1.0, 0.5), (-0.1, 0, 0.5, 0.5), (0, 0, 0.5, 1.2),
            (float("nan"), 0, 0.5, 0.5)],
)  # fmt: skip
def test_an_empty_inverted_or_foreign_box_is_an_error_that_names_it(box):
    face, people = released((box, *list(SYNTHETIC.values())[1:]), SYNTHETIC_SOURCES)
    with pytest.raises(ValueError, match="the box of the target's eyes is y0"):
        fuse_features(face, people)
    face, people = released(SYNTHETIC.values(), (*SYNTHETIC_SOURCES[:2], box))
    with pytest.raises(ValueError, match="the box of the mouth of reference 3 is y0"):
        fuse_features(face, people)


def test_two_people_for_one_part_are_refused_with_the_mode_that_can():
    face, people = released(SYNTHETIC.values(), SYNTHETIC_SOURCES)
    with pytest.raises(ValueError, match="reference 1 and reference 4 all give the part 'eyes'.*'practical'"):
        fuse_features(face, [*people, people[0]])


def test_errors_call_a_reference_by_the_input_that_it_came_in_by():
    face, people = released(SYNTHETIC.values(), SYNTHETIC_SOURCES)
    named = [replace(people[0], name=f"reference{i}") for i in range(2)]
    with pytest.raises(ValueError, match="reference0 and reference1 all give the part 'eyes'"):
        fuse_features(face, named)
    with pytest.raises(ValueError, match="reference1 was encoded in mode 'practical'"):
        fuse_features(face, [people[0], replace(named[1], mode="practical")])


def test_a_reference_of_one_serves_a_batch_and_other_counts_must_match():
    face, people = released(SYNTHETIC.values(), SYNTHETIC_SOURCES)
    three = target("released", SYNTHETIC, count=3)
    fused = fuse_features(three, people)
    assert len(fused) == 3
    assert all(torch.equal(one, fuse_features(face, people).tokens[0]) for one in fused.tokens)
    two = reference("released", {"eyes": SYNTHETIC_SOURCES[0]}, 1, {"eyes": 1.0}, count=2)
    with pytest.raises(ValueError, match="reference 1 has 2 pictures and the target has 3"):
        fuse_features(three, [two])


def test_every_grid_is_cut_by_the_same_rule():
    assert cells_of(torch.tensor([0.5, 0.25, 0.75, 1.0]), (24, 24)) == (12, 6, 18, 24)


def test_parts_that_were_painted_out_and_nobody_gives_are_warned_of_once(caplog):
    face, people = released(SYNTHETIC.values(), SYNTHETIC_SOURCES)
    fuse_features(face, people)
    assert not caplog.records
    fuse_features(face, people[:1])
    (record,) = caplog.records
    message = record.getMessage()
    assert "target's nose and mouth are painted out, but no reference gives them" in message
    assert "Encode the target with nose and mouth at 0" in message
    caplog.clear()
    fuse_features(face, people[:2])
    assert "target's mouth is painted out, but no reference gives it" in caplog.records[0].getMessage()
