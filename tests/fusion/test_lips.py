"""Lips beside their skin are no bluer than the target's."""

import torch
from face_part_fusion.fusion.lips import warm_lips

SKIN = torch.tensor([60.0, 15.0, 18.0]).expand(20, 20, 3)
MOUTH = torch.zeros(20, 20, dtype=torch.bool)
MOUTH[5:15, 5:15] = True


def mouth(*lab):
    picture = SKIN.clone()
    picture[5:15, 5:15] = torch.tensor(lab)
    return picture


NATURAL, VIOLET = mouth(48.0, 26.0, 12.0), mouth(48.0, 26.0, -4.0)


def test_violet_lips_become_nearly_as_warm_as_the_targets():
    warm = warm_lips(VIOLET, NATURAL, SKIN, MOUTH, MOUTH)
    assert 6 < warm[10, 10, 2] < 12
    assert torch.equal(warm[..., :2], VIOLET[..., :2]) and torch.equal(warm[~MOUTH], VIOLET[~MOUTH])


def test_lips_that_are_warmer_or_alike_keep_their_colour():
    assert torch.equal(warm_lips(NATURAL, VIOLET, SKIN, MOUTH, MOUTH), NATURAL)
    assert torch.equal(warm_lips(NATURAL, NATURAL, SKIN, MOUTH, MOUTH), NATURAL)


def test_teeth_stay():
    smile = VIOLET.clone()
    smile[8:12, 5:15] = torch.tensor([80.0, -1.0, 2.0])
    assert torch.equal(warm_lips(smile, NATURAL, SKIN, MOUTH, MOUTH)[8:12], smile[8:12])


def test_black_and_white_and_a_mouth_that_is_not_seen_stay():
    grey = torch.tensor([60.0, 0.0, 0.0]).expand(20, 20, 3)
    assert torch.equal(warm_lips(VIOLET, NATURAL, grey, MOUTH, MOUTH), VIOLET)
    assert torch.equal(warm_lips(VIOLET, NATURAL, SKIN, torch.zeros_like(MOUTH), MOUTH), VIOLET)
