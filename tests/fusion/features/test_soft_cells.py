"""Fusion finer than a cell: identity, order, averaging, and what must fit together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from face_part_fusion.detectors.schemes import SCHEMES
from face_part_fusion.fusion.area import FEATURE_PARTS
from face_part_fusion.fusion.features.fuse import fuse_features
from face_part_fusion.fusion.features.part_pictures import box_pixels
from face_part_fusion.fusion.features.soft_cells import RESAMPLINGS, part_cover
from hypothesis import given, settings
from hypothesis import strategies as st
from support.coded import as_reference, coded, reference, target, worth

SIDE = 64
BOXES = {
    "skin": (0.1, 0.1, 0.9, 0.9), "left_eye": (0.3, 0.2, 0.42, 0.45), "right_eye": (0.3, 0.55, 0.42, 0.8),
    "eyes": (0.3, 0.2, 0.42, 0.8), "nose": (0.36, 0.4, 0.66, 0.6), "mouth": (0.62, 0.3, 0.8, 0.7),
}  # fmt: skip

spans = st.tuples(st.floats(0.05, 0.75), st.floats(0.1, 0.2)).map(lambda s: (s[0], s[0] + s[1]))
boxes = st.tuples(spans, spans).map(lambda two: (two[0][0], two[1][0], two[0][1], two[1][1]))
points = st.integers(0, 2**31).map(lambda seed: torch.rand(1, 106, 2, generator=torch.Generator().manual_seed(seed)))


def mask_of(box, side=SIDE):
    return box_pixels(torch.tensor(box), (side, side))


def eyes_mask(boxes_of):
    return torch.maximum(mask_of(boxes_of["left_eye"]), mask_of(boxes_of["right_eye"]))


def masks_of(boxes_of):
    masks = {part: mask_of(box) for part, box in boxes_of.items()}
    if "eyes" in masks and "left_eye" in masks:
        masks["eyes"] = eyes_mask(boxes_of)
    return {part: mask[None] for part, mask in masks.items()}


def the_target(boxes_of=BOXES, **more):
    return target("practical", boxes_of, masks_of(boxes_of), **more)


def gives(person, strengths, boxes_of=BOXES, **more):
    return reference("practical", boxes_of, person, strengths, masks_of(boxes_of), **more)


@settings(deadline=None, max_examples=30)
@given(boxes, boxes, points, st.sampled_from(RESAMPLINGS), st.floats(0, 2), st.floats(0.05, 1))
def test_the_target_as_its_own_reference_changes_nothing(eyes, nose, landmarks, resample, feather, strength):
    face = the_target({"eyes": eyes, "nose": nose}, points=landmarks, scheme="insightface106")
    fused = fuse_features(
        face, [as_reference(face, {"eyes": strength, "nose": 1.0})], resample=resample, feather=feather
    )
    assert torch.equal(fused.tokens, face.tokens)


@pytest.mark.parametrize("count", [1, 3])
def test_several_references_that_are_the_target_change_nothing_beyond_rounding(count):
    face = the_target()
    everything = [as_reference(face, dict.fromkeys(BOXES, 0.4)) for _ in range(count)]
    assert torch.allclose(fuse_features(face, everything).tokens, face.tokens, rtol=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.permutations([("eyes", 1), ("nose", 2), ("mouth", 3), ("skin", 4)]))
def test_references_of_different_parts_may_come_in_any_order(order):
    people = [[gives(k, {part: 1.0}) for part, k in some] for some in (order, sorted(order))]
    fused = [fuse_features(the_target(), some) for some in people]
    assert torch.equal(fused[0].tokens, fused[1].tokens)


@pytest.mark.parametrize(
    ("below", "above"), [("skin", "eyes"), ("eyes", "nose"), ("eyes", "left_eye"), ("nose", "mouth")]
)
def test_where_parts_overlap_the_later_one_covers_the_earlier(below, above):
    assert FEATURE_PARTS.index(below) < FEATURE_PARTS.index(above)
    people = [gives(1, {below: 1.0}), gives(2, {above: 1.0})]
    fused = fuse_features(the_target(), people, feather=0)
    inside = part_cover(the_target(), above, 0)[0] == 1
    assert inside.any() and (fused.origin[0][inside] == 2).all()
    assert (fused.parts[above][0][inside] == 1).all() and (fused.parts[below][0][inside] == 0).all()
    assert (fused.patches[0].view(16, 16)[inside] // 1000 == 2).all()


def test_a_cell_takes_as_much_of_the_part_as_the_mask_covers_of_it():
    half = {"nose": (0.25, 0.25, 0.5, 0.375 + 1 / 32)}
    person = replace(gives(1, {"nose": 1.0}, half), tokens={"nose": torch.full((1, 257, 1), 9000.0)})
    fused = fuse_features(the_target(half), [person], feather=0)
    values, before = fused.patches[0].view(16, 16), worth(0)
    assert (values[4:8, 4:6] == 9000).all()
    assert torch.allclose(values[4:8, 6], (9000 + before[4:8, 6]) / 2)
    untouched = torch.ones(16, 16, dtype=torch.bool)
    untouched[4:8, 4:7] = False
    assert torch.equal(values[untouched], before[untouched])
    assert torch.allclose(fused.parts["nose"][0, 4:8, 4:7], torch.tensor([1, 1, 0.5]).expand(4, 3))


def test_a_part_is_read_where_its_landmarks_lie_and_black_around_it_does_not_bleed_in():
    here, there = {"nose": (0.25, 0.25, 0.5, 0.5)}, {"nose": (0.5, 0.375, 0.75, 0.625)}
    face = the_target(here, points=_nose_points(here["nose"]), scheme="insightface106")
    person = gives(1, {"nose": 1.0}, there, points=_nose_points(there["nose"]), scheme="insightface106")
    person.tokens["nose"][:, 1:][:, ~(masks_cells(there["nose"]))] = -1e6
    for resample in RESAMPLINGS:
        values = fuse_features(face, [person], resample=resample, feather=0).patches[0].view(16, 16)
        assert torch.equal(values[4:8, 4:8], worth(1)[8:12, 6:10])


def test_a_part_of_another_size_is_read_between_its_cells():
    here, there = {"nose": (0.25, 0.25, 0.75, 0.75)}, {"nose": (0.25, 0.25, 0.5, 0.5)}
    fused = fuse_features(the_target(here), [gives(1, {"nose": 1.0}, there)], resample="box", feather=0)
    values = fused.patches[0].view(16, 16)[4:12, 4:12]
    across = torch.tensor([4.0, 4.25, 4.75, 5.25, 5.75, 6.25, 6.75, 7.0])
    assert torch.allclose(values, 1000 + 16 * across[:, None] + across, rtol=1e-6)


def test_a_turned_part_is_read_turned():
    quarter = _nose_points((0.25, 0.25, 0.5, 0.5))
    turned = torch.stack([0.75 - quarter[..., 1], quarter[..., 0]], -1)
    box = {"nose": (0.25, 0.25, 0.5, 0.5)}
    face = the_target(box, points=quarter, scheme="insightface106")
    person = gives(1, {"nose": 1.0}, box, points=turned, scheme="insightface106")
    values = fuse_features(face, [person], feather=0).patches[0].view(16, 16)[4:8, 4:8]
    assert torch.equal(values, worth(1)[4:8, 4:8].flip(1).T)


def test_a_side_without_landmarks_falls_back_to_the_boxes():
    here, there = {"nose": (0.25, 0.25, 0.5, 0.5)}, {"nose": (0.5, 0.375, 0.75, 0.625)}
    face = the_target(here, points=_nose_points(here["nose"]), scheme="insightface106")
    values = fuse_features(face, [gives(1, {"nose": 1.0}, there)], feather=0).patches[0].view(16, 16)
    assert torch.equal(values[4:8, 4:8], worth(1)[8:12, 6:10])


@pytest.mark.parametrize(("strengths", "shares"), [((1, 1), (0, 0.5, 0.5)), ((0.2, 0.3), (0.5, 0.2, 0.3)),
                                                  ((1, 0.5), (0, 2 / 3, 1 / 3)), ((0.5,), (0.5, 0.5))])  # fmt: skip
def test_people_who_give_the_same_part_are_averaged_by_strength(strengths, shares):
    people = [gives(k, {"nose": float(s)}) for k, s in enumerate(strengths, 1)]
    fused = fuse_features(the_target(), people, feather=0)
    whole = part_cover(the_target(), "nose", 0)[0] == 1
    mixed = sum(share * worth(k) for k, share in enumerate(shares))
    assert torch.allclose(fused.patches[0].view(16, 16)[whole], mixed[whole], rtol=1e-5)


@pytest.mark.parametrize("feather", [0.0, 0.5, 1.5])
def test_feathering_fades_inside_the_mask_only_and_leaves_the_middle_whole(feather):
    face = the_target()
    hard, soft = part_cover(face, "mouth", 0)[0], part_cover(face, "mouth", feather)[0]
    assert (soft <= hard).all() and soft.max() > 0.6 and (feather == 0 or soft.sum() < hard.sum())


def test_the_class_token_and_the_inputs_stay_as_they_were():
    face = the_target()
    fused = fuse_features(face, [gives(1, {"nose": 1.0, "mouth": 0.5})])
    assert torch.equal(fused.tokens[:, :1], coded(0)[:, :1]) and torch.equal(face.tokens, coded(0))
    assert torch.equal(fused.unconditioned, face.unconditioned) and fused.target is face.target


def test_a_reference_of_one_serves_a_batch_and_other_counts_must_match():
    fused = fuse_features(the_target(count=3), [gives(1, {"nose": 1.0}), gives(2, {"mouth": 1.0}, count=3)])
    single = fuse_features(the_target(), [gives(1, {"nose": 1.0}), gives(2, {"mouth": 1.0})])
    assert len(fused) == 3 and all(torch.equal(one, single.tokens[0]) for one in fused.tokens)
    with pytest.raises(ValueError, match="reference 1 has 2 pictures and the target has 3"):
        fuse_features(the_target(count=3), [gives(1, {"nose": 1.0}, count=2)])


def test_a_mask_that_misses_every_cell_is_an_error_on_either_side():
    empty = {"nose": torch.zeros(1, SIDE, SIDE)}
    with pytest.raises(ValueError, match="the mask of the target's nose misses every cell"):
        fuse_features(replace(the_target(), masks=empty), [gives(1, {"nose": 1.0})])
    with pytest.raises(ValueError, match="the mask of the nose of reference 2 misses every cell"):
        fuse_features(the_target(), [gives(1, {"eyes": 1.0}), replace(gives(1, {"nose": 1.0}), masks=empty)])


@pytest.mark.parametrize("box", [
    (0.5, 0.1, 0.5, 0.3), (0.6, 0.1, 0.5, 0.3), (float("nan"), 0.1, 0.5, 0.3), (0.1, 0.3, 0.5, float("inf")),
    (100.0, 120.0, 200.0, 260.0), (0.0, 0.0, 200.0, 260.0), (1.0, 0.1, 1.2, 0.3), (-0.4, 0.1, 0.0, 0.3),
])  # fmt: skip
@pytest.mark.parametrize("resample", RESAMPLINGS)
def test_a_box_that_is_none_is_refused_with_whose_it_is(box, resample):
    rows = torch.tensor([box])
    with pytest.raises(ValueError, match="the box of the target's nose is y0"):
        face = the_target()
        fuse_features(replace(face, boxes={**face.boxes, "nose": rows}), [gives(1, {"nose": 1.0})], resample=resample)
    with pytest.raises(ValueError, match="the box of the nose of reference 2 is y0"):
        wrong = replace(gives(1, {"nose": 1.0}), boxes={"nose": rows})
        fuse_features(the_target(), [gives(1, {"eyes": 1.0}), wrong], resample=resample)


def test_a_box_may_overhang_the_view_and_one_that_is_not_used_is_not_judged():
    face, person = the_target(), gives(1, {"nose": 1.0})
    over, nonsense = torch.tensor([[-0.2, 0.3, 0.5, 1.3]]), torch.tensor([[0.5, 0.5, 0.4, 0.4]])
    boxes = {**face.boxes, "nose": over, "skin": nonsense}
    person = replace(person, boxes={**person.boxes, "nose": over, "mouth": nonsense})
    fuse_features(replace(face, boxes=boxes), [person])


def test_what_does_not_fit_together_is_refused_with_both_names():
    face, person = the_target(), gives(1, {"nose": 1.0})
    wrong = {
        "reference 1 was encoded with role 'target'": (face, [face]),
        "target was encoded with role 'reference'": (person, [person]),
        "nothing to fuse": (face, []),
        "mode 'released' and the target in mode 'practical'": (face, [replace(person, mode="released")]),
        r"with CLIP ViT-L/14 \(16 x 16 cells, width 1\) and the target with a coded": (
            face, [replace(person, encoder="CLIP ViT-L/14")],
        ),
        r"\(24 x 24 cells": (face, [replace(person, grid=(24, 24), tokens={"nose": coded(1, (24, 24))})]),
        "different weights": (face, [replace(person, unconditioned=person.unconditioned * 1.2)]),
        "gives the part 'brows', but the target makes only skin": (face, [replace(person, strengths={"brows": 1.0})]),
    }  # fmt: skip
    for message, (whose, references) in wrong.items():
        with pytest.raises(ValueError, match=message):
            fuse_features(whose, references)
    for settings_of in ({"resample": "nearest"}, {"feather": -1}, {"feather": float("nan")}):
        with pytest.raises(ValueError, match=next(iter(settings_of))):
            fuse_features(face, [person], **settings_of)


def masks_cells(box):
    return torch.nn.functional.adaptive_avg_pool2d(mask_of(box)[None], 16)[0].flatten() > 0


def _nose_points(box):
    """Landmarks (1, 106, 2) whose nose lies on the corners of `box`; the others do not matter."""
    y0, x0, y1, x1 = box
    ring = sorted({i for r in SCHEMES["insightface106"].rings["nose"] for i in r})
    corners = torch.tensor([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    landmarks = torch.rand(1, 106, 2, generator=torch.Generator().manual_seed(0))
    landmarks[0, ring] = corners.repeat(len(ring), 1)[: len(ring)]
    return landmarks
