"""Several runs of one generator: a larger crop from tiles of every k-th pixel, and a second pass in the lower face."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.fusion.crop import FFHQ_POINTS
from face_part_fusion.injection.reliable_swap.passes import boosted, lower_face, with_second_pass

WHO = torch.zeros(3)


def crop(size, seed=0):
    return torch.rand(size, size, 3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("size", "tiles"), [(128, 1), (128, 2), (128, 3), (128, 4), (256, 2), (256, 4), (8, 8)])
def test_a_generator_that_changes_nothing_gives_the_crop_back_bit_for_bit(size, tiles):
    passes = []
    result = boosted(lambda tile, _: passes.append(tile) or tile.clone(), tiles)(crop(size * tiles), WHO)
    assert torch.equal(result, crop(size * tiles))
    assert len(passes) == tiles**2 and {tuple(tile.shape) for tile in passes} == {(size, size, 3)}


def test_every_pass_sees_the_whole_face_at_every_kth_pixel():
    passes = []
    boosted(lambda tile, _: passes.append(tile) or tile, 3)(crop(24), WHO)
    for number, tile in enumerate(passes):
        row, column = divmod(number, 3)
        assert torch.equal(tile[5, 2], crop(24)[15 + row, 6 + column])


def test_what_each_pass_made_lies_between_the_others():
    """Each pass is painted in a colour of its own."""
    colours = iter(torch.arange(4.0))
    result = boosted(lambda tile, _: torch.full_like(tile, float(next(colours))), 2)(crop(6), WHO)[..., 0]
    assert torch.equal(result, torch.tensor([[0.0, 1.0], [2.0, 3.0]]).repeat(3, 3))


def test_a_generator_that_enlarges_stays_in_place():
    def enlarged(tile, _):
        return tile.repeat_interleave(2, 0).repeat_interleave(2, 1)

    result = boosted(enlarged, 2)(torch.full((8, 8, 3), 0.5), WHO)
    assert result.shape == (16, 16, 3) and torch.equal(result, torch.full((16, 16, 3), 0.5))


def test_the_second_pass_starts_from_the_first_and_shows_in_the_lower_face():
    template = FFHQ_POINTS / 8
    came = []
    darker = with_second_pass(lambda c, who: came.append((c, who)) or c * 0.5, template, 64, 1.0)(crop(64), WHO)
    assert len(came) == 2 and torch.equal(came[1][0], crop(64) * 0.5) and came[1][1] is WHO
    assert torch.allclose(darker[:28], crop(64)[:28] * 0.5) and torch.allclose(darker[42:], crop(64)[42:] * 0.25)


def test_its_strength_goes_from_the_first_pass_to_the_second():
    template = FFHQ_POINTS / 8
    half = with_second_pass(lambda c, _: c * 0.5, template, 64, 0.5)(crop(64), WHO)
    assert torch.allclose(half[42:], crop(64)[42:] * 0.375)
    came = []
    none = with_second_pass(lambda c, _: came.append(1) or c * 0.5, template, 64, 0.0)(crop(64), WHO)
    assert torch.equal(none, crop(64) * 0.5) and len(came) == 1


def test_the_lower_face_begins_between_eyes_and_nose_tip():
    rows = lower_face(FFHQ_POINTS, 512).flatten()
    assert float(rows[276]) == pytest.approx(0.5, abs=0.05)
    assert float(rows[:255].max()) == 0 and float(rows[300:].min()) == 1 and bool((rows.diff() >= 0).all())
