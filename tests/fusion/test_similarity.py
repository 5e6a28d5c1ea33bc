import math

import pytest
import torch
from face_part_fusion.fusion.similarity import (
    apply_affine,
    fit_similarity,
    invert_affine,
    scale_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

LAID_OUT = torch.tensor([[10.0, 12], [50, 9], [31, 33], [14, 52], [47, 55], [30, 70]], dtype=torch.float64)


def similarity(scale, turn, x, y):
    c, s = scale * math.cos(turn), scale * math.sin(turn)
    return torch.tensor([[c, -s, x], [s, c, y]], dtype=torch.float64)


similarities = st.builds(
    similarity, st.floats(0.05, 20), st.floats(-math.pi, math.pi), st.floats(-500, 500), st.floats(-500, 500)
)


@settings(deadline=None, max_examples=100)
@given(similarities, st.integers(2, 6))
def test_any_similarity_is_recovered_from_points(matrix, count):
    source = LAID_OUT[:count]
    assert torch.allclose(fit_similarity(source, apply_affine(matrix, source)), matrix, atol=1e-8)


@settings(deadline=None, max_examples=50)
@given(similarities, st.integers(0, 5), st.floats(-300, 300), st.floats(-300, 300))
def test_one_point_far_off_hardly_turns_the_rest(matrix, which, x, y):
    target = apply_affine(matrix, LAID_OUT)
    target[which] += torch.tensor([x, y])
    fitted = apply_affine(fit_similarity(LAID_OUT, target, steps=60), LAID_OUT)
    far, plain = (fitted - target).norm(dim=1), apply_affine(fit_similarity(LAID_OUT, target, steps=0), LAID_OUT)
    others = [i for i in range(len(LAID_OUT)) if i != which]
    assert far[others].max() <= (plain - target).norm(dim=1)[others].max() + 1e-6
    assert far[others].max() <= 0.05 * math.hypot(x, y) + 1e-6


def test_points_laid_over_themselves_give_the_identity():
    assert torch.allclose(fit_similarity(LAID_OUT, LAID_OUT), torch.eye(2, 3, dtype=torch.float64), atol=1e-12)


def test_a_reflection_is_never_made():
    mirrored = LAID_OUT * torch.tensor([-1.0, 1.0])
    fitted = fit_similarity(LAID_OUT, mirrored)
    assert torch.linalg.det(fitted[:, :2]) >= 0


@settings(deadline=None, max_examples=50)
@given(similarities)
def test_inverting_and_applying_agree(matrix):
    assert torch.allclose(apply_affine(invert_affine(matrix), apply_affine(matrix, LAID_OUT)), LAID_OUT, atol=1e-6)
    assert scale_of(invert_affine(matrix)) == pytest.approx(1 / scale_of(matrix))


def test_applying_keeps_shape_and_type_of_the_points():
    points = torch.rand(2, 3, 2)
    moved = apply_affine(similarity(2, 0, 1, -1), points)
    assert moved.dtype == torch.float32
    assert torch.allclose(moved, points * 2 + torch.tensor([1.0, -1.0]))


def test_inverting_works_on_a_batch():
    many = torch.stack([similarity(2, 0.3, 4, 5), similarity(0.5, -1, 0, 9)])
    assert torch.equal(invert_affine(many)[1], invert_affine(many[1]))


@pytest.mark.parametrize(("here", "there"), [(1, 1), (0, 0), (3, 4)])
def test_too_few_or_unequal_points_are_refused_with_both_counts(here, there):
    with pytest.raises(ValueError, match=f"at least two points; came {here} and {there}"):
        fit_similarity(LAID_OUT[:here], LAID_OUT[:there])


def test_points_that_all_coincide_are_refused_on_either_side():
    with pytest.raises(ValueError, match="source landmarks all coincide"):
        fit_similarity(torch.ones(4, 2), LAID_OUT[:4])
    with pytest.raises(ValueError, match="target landmarks all coincide"):
        fit_similarity(LAID_OUT[:4], torch.ones(4, 2))
