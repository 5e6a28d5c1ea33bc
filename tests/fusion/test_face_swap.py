"""swap_face with generators written here: what changes, what stays, and where the crop lies."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.detectors.parts import Face
from face_part_fusion.fusion.cover import Cover
from face_part_fusion.fusion.crop import FFHQ_POINTS
from face_part_fusion.fusion.face_swap import AREAS, face_matrix, swap_face
from face_part_fusion.fusion.masks import part_mask
from face_part_fusion.fusion.similarity import apply_affine
from support.drawn_faces import SIZE, drawn, portrait

SIDE = 64
TEMPLATE = FFHQ_POINTS * (SIDE / 512)
WHO = torch.tensor([0.3, -0.2, 0.1])


def shifted(crop, identity):
    """Another face: darker and redder by an identity's values, and mirrored so that details differ."""
    return (crop.flip(1) + identity).clamp(0, 1)


def swapped(generate=shifted, face=None, **options):
    return swap_face(portrait(1), face or drawn(), generate, WHO, TEMPLATE, SIDE, **options)


def test_alignment_lays_template_points_on_themselves_and_any_similarity_of_them():
    five = FFHQ_POINTS.clone()
    face = Face((0, 0, 512, 512), 1.0, five, "five")
    identity = torch.tensor([[1.0, 0, 0], [0, 1, 0]], dtype=torch.float64)
    assert torch.allclose(face_matrix(face, FFHQ_POINTS), identity, atol=1e-4)
    turned = torch.tensor([[1.5, -0.4, 20], [0.4, 1.5, -7]], dtype=torch.float64)
    face = Face((0, 0, 512, 512), 1.0, apply_affine(turned, five.double()), "five")
    matrix = face_matrix(face, FFHQ_POINTS / 2)
    both = apply_affine(matrix, face.landmarks)
    assert torch.allclose(both, FFHQ_POINTS.double() / 2, atol=1e-4)


def test_the_generator_gets_the_aligned_crop_and_the_identity():
    came = []
    result = swapped(lambda crop, identity: came.append((crop, identity)) or crop)
    assert came[0][0].shape == (SIDE, SIDE, 3) and came[0][1] is WHO and result.crop is came[0][0]


def test_the_face_changes_and_what_lies_outside_stays_bit_for_bit():
    result, before = swapped(), portrait(1)
    oval = part_mask(drawn(), ("skin",), SIZE)
    assert torch.equal(result.picture[result.changed == 0], before[result.changed == 0])
    assert not (result.changed[oval == 0] > 0.01).any() and float(result.changed[oval == 1].mean()) > 0.7
    assert float((result.picture - before).abs()[result.changed > 0.9].mean()) > 0.01


def test_a_generator_that_changes_nothing_hardly_changes_the_picture():
    result = swapped(lambda crop, _: crop, face=drawn(unit=22.0))
    assert float((result.picture - portrait(1)).abs().mean()) < 0.01


def test_tone_and_light_of_the_target_are_kept_and_can_be_left():
    inside = swapped().changed > 0.9
    gaps = [
        float((swapped(tone=t, light=t).picture - portrait(1))[inside].mean(0).abs().max()) for t in (1.0, 0.5, 0.0)
    ]
    assert gaps[0] < 0.05 < gaps[1] < gaps[2]


@pytest.mark.parametrize("area", AREAS)
def test_only_the_area_changes(area):
    changed = swapped(area=area, parts=("mouth",)).changed
    mouth, eyes = (part_mask(drawn(), (part,), SIZE) == 1 for part in ("mouth", "eyes"))
    assert (float(changed[mouth].mean()) > 0.9) == (area in ("whole face", "lower half", "parts"))
    assert (float(changed[eyes].mean()) > 0.9) == (area in ("whole face", "upper half"))
    assert area == "whole face" or float(torch.where(eyes | mouth, changed, 1.0).amin()) < 0.05


@pytest.mark.parametrize("amount", [0.0, 0.5, 0.8])
def test_an_amount_shows_as_much_of_a_broad_change(amount):
    def lit(crop, _):
        rows = torch.linspace(-0.3, 0.3, SIDE)[:, None, None]
        return (crop + rows).clamp(0, 1)

    whole, part = (swapped(lit, amount=each, light=0.0, tone=0.0).picture - portrait(1) for each in (1.0, amount))
    inside = swapped(lit).changed == 1
    assert float(part[inside].abs().mean()) == pytest.approx(amount * float(whole[inside].abs().mean()), rel=0.1)


def test_both_halves_make_up_the_whole():
    whole, upper, lower = (swapped(area=area).changed for area in AREAS[:3])
    assert torch.allclose(upper + lower, whole, atol=1e-5)


def test_what_lies_over_the_face_and_what_the_mask_spares_stays():
    left = torch.zeros(SIZE)
    left[:, :80] = 1
    cover = Cover(torch.tensor([[1.0, 0, 0], [0, 1, 0]]).double(), lambda classes: left, lambda: torch.zeros(SIZE))
    for options in ({"cover": cover}, {"mask": 1 - left}):
        result = swapped(**options)
        assert float(result.changed[:, :78].max()) == 0 and float(result.changed[:, 84:].max()) > 0.9
        assert torch.equal(result.picture[:, :78], portrait(1)[:, :78])


def test_a_black_and_white_photograph_stays_one():
    grey = portrait(1).mean(-1, keepdim=True).expand(-1, -1, 3).contiguous()
    result = swap_face(grey, drawn(), shifted, WHO, TEMPLATE, SIDE).picture
    assert float((result.amax(-1) - result.amin(-1)).max()) < 0.02


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"area": "chin"}, "area is 'chin'; choose one of whole face"),
        ({"area": "parts"}, "parts are none; name at least one of eyes"),
        ({"area": "parts", "parts": ("ears",)}, "parts are ears; name at least one"),
        ({"face": Face((10, 10, 90, 90), 1.0)}, "without landmarks; detect it with 'built-in'"),
        ({"face": Face((0, 0, 9, 9), 1.0, TEMPLATE + 20, "five")}, "has no 'skin'"),
        ({"generate": lambda crop, _: crop[:5]}, r"gave a crop of shape \(5, 64, 3\)"),
    ],
)
def test_bad_inputs_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        swapped(**options)
