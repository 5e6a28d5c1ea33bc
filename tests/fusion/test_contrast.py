"""Shades of hard light are softened to what the target's skin shows; pores stay."""

import torch
from face_part_fusion.fusion.contrast import soften

UNIT, SHAPE = 60.0, (90, 120)
ONES = torch.ones(SHAPE)


def skin(shade=0.0, grain=1.0, seed=0):
    """Skin with a shadow of `shade` steps of L, whose edge is hard, over its right half."""
    picture = torch.tensor([62.0, 14.0, 18.0]) + grain * torch.randn(
        *SHAPE, 3, generator=torch.Generator().manual_seed(seed)
    )
    picture[:, 60:] += torch.tensor([-shade, 0.2 * shade, 0.2 * shade])
    return picture


def step(picture, channel=0):
    return float(picture[:, :60, channel].mean() - picture[:, 60:, channel].mean())


def soft(reference, target, amount=1.0):
    return soften(reference, target, ONES, ONES, UNIT, amount)[0]


def test_a_hard_shadow_is_lifted_in_lightness_and_colour_and_its_edge_leaves_no_line():
    result = soft(skin(30), skin(0, seed=1))
    assert step(result) < 12 and step(result, 1) > -3
    line = result[:, 56:64, 0].mean(0)
    assert float(line.min()) > float(result[..., 0].mean()) - 8


def test_pores_stay():
    before, after = skin(30), soft(skin(30), skin(0, seed=1))
    rough = [float(picture[:, 10:50, 0].diff(dim=1).std()) for picture in (before, after)]
    assert rough[1] > 0.9 * rough[0]


def test_skin_in_soft_light_and_a_target_in_hard_light_leave_it_bit_for_bit():
    assert torch.equal(soft(skin(4), skin(0, seed=1)), skin(4))
    assert torch.equal(soft(skin(30), skin(30, seed=1)), skin(30))


def test_amount_0_keeps_it_and_what_is_not_skin_stays():
    assert torch.equal(soft(skin(30), skin(0, seed=1), 0.0), skin(30))
    mask = ONES.clone()
    mask[:, 80:] = 0
    result = soften(skin(30), skin(0, seed=1), mask, ONES, UNIT, 1.0)[0]
    assert torch.equal(result[:, 80:], skin(30)[:, 80:])


def test_hardness_is_the_contrast_as_a_multiple_of_the_targets():
    hard, same = (soften(skin(shade), skin(15, seed=1), ONES, ONES, UNIT, 1.0)[1] for shade in (30, 15))
    assert 1.7 < hard < 2.3 and 0.9 < same < 1.1
