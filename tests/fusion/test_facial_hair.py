"""Beards and moustaches told from skin, and what becomes of them in a composite."""

from dataclasses import replace

import pytest
import torch
from face_part_fusion.detectors.parser_builtin import Parse
from face_part_fusion.detectors.parser_net import CLASSES
from face_part_fusion.detectors.parts import FaceParts
from face_part_fusion.fusion.cover import CoverFinder
from face_part_fusion.fusion.facial_hair import facial_hair, lip_is_hidden, moustache
from support.drawn_faces import SIZE, drawn, fuse, gives

SKIN = torch.tensor([0.80, 0.60, 0.50])
GREY, BLACK, SHADOW = torch.tensor([0.55, 0.55, 0.56]), torch.tensor([0.10, 0.08, 0.07]), 0.72 * SKIN
# Between the base of the nose, 40.8 pixels below the eyes, and the lips; and a place on a cheek.
MOUSTACHE, CHEEK = (slice(109, 117), slice(65, 95)), (slice(80, 90), slice(40, 50))


def portrait_of(*patches):
    picture = SKIN.expand(*SIZE, 3).clone()
    for (rows, columns), colour in patches:
        picture[rows, columns] = colour
    return picture


def parsed(picture, face=None, wide=False):
    coarse = torch.zeros(len(CLASSES), SIZE[0] // 2, SIZE[1] // 2)
    coarse[CLASSES.index("face")] = 1
    return Parse(picture.permute(2, 0, 1), (0, 0), coarse, 2, SIZE, False, ())


def hair_in(picture, face=None):
    return facial_hair(parsed(picture), face or drawn())


@pytest.mark.parametrize("colour", [GREY, BLACK])
def test_grey_and_black_hair_is_found_where_it_grows(colour):
    hair = hair_in(portrait_of((MOUSTACHE, colour)))
    inside = hair[56:57, 34:46]
    assert inside.min() > 0.9 and hair.sum() < 3 * inside.numel() * 4


def test_plain_skin_a_soft_shadow_and_another_part_of_the_face_are_no_hair():
    assert hair_in(portrait_of()).max() == 0
    assert hair_in(portrait_of((MOUSTACHE, SHADOW))).max() < 0.2
    assert hair_in(portrait_of((CHEEK, GREY))).max() == 0


def test_nothing_is_found_in_black_and_white_and_without_a_mesh():
    grey = portrait_of((MOUSTACHE, BLACK)).mean(-1, keepdim=True).expand(-1, -1, 3)
    assert hair_in(grey).max() == 0
    assert hair_in(portrait_of((MOUSTACHE, BLACK)), replace(drawn(), scheme="")).max() == 0


def people(*patches):
    return FaceParts(portrait_of(*patches)[None], ((drawn(),),), (0,))


@pytest.fixture
def finder(monkeypatch):
    """The compositor's own finder with a parser that sees nothing but face."""
    monkeypatch.setattr("face_part_fusion.fusion.composite.CoverFinder", lambda parser: CoverFinder(parsed))


def test_a_moustache_of_the_target_stays_on_top_of_another_mouth(finder):
    target = people((MOUSTACHE, BLACK))
    giver = people(((slice(120, 130), slice(70, 90)), GREY))
    pictures, changed, _ = fuse(target, [gives(giver, "mouth")], covers="spare")
    middle = (slice(112, 115), slice(70, 88))
    assert (pictures[0] - target.pictures[0])[middle].abs().mean() < 0.03 and changed.max() == 1


def test_a_moustache_of_a_reference_is_not_brought_along(finder):
    giver = [gives(people((MOUSTACHE, BLACK)), "mouth", "nose")]

    def lightness(covers, light):
        return fuse(people(), giver, covers=covers, light=light).pictures[0][MOUSTACHE].mean()

    assert lightness("spare", 1.0) > 0.55
    # The target's light would lift the dark of it.
    assert lightness("ignore", 0.0) < lightness("spare", 0.0)


# The upper lip and the lower one of a drawn face, and lips of a colour of their own.
UPPER, LOWER = (slice(117, 125), slice(60, 100)), (slice(125, 134), slice(60, 100))
RED = torch.tensor([0.75, 0.35, 0.35])


@pytest.mark.parametrize(
    "patches, hidden",
    [
        (((MOUSTACHE, BLACK), (UPPER, BLACK), (LOWER, RED)), True),
        (((MOUSTACHE, BLACK), (UPPER, RED), (LOWER, RED)), False),
        (((UPPER, BLACK), (LOWER, RED)), False),
        ((), False),
    ],
    ids=["over the lip", "above the lip", "dark lip", "none"],
)
def test_a_moustache_hides_a_lip_that_has_its_colour(patches, hidden):
    assert lip_is_hidden(portrait_of(*patches), drawn()) is hidden
    assert lip_is_hidden(portrait_of(*patches), replace(drawn(), scheme="")) is False
    assert lip_is_hidden(portrait_of(*patches).mean(-1, keepdim=True).expand(-1, -1, 3), drawn()) is False


def test_lips_under_a_moustache_are_left_as_they_were(finder):
    giver, target = people((MOUSTACHE, BLACK), (UPPER, BLACK), (LOWER, RED)), people()
    pictures, changed, report = fuse(target, [gives(giver, "mouth")], covers="spare")
    assert torch.equal(pictures, target.pictures) and changed.max() == 0
    assert "a moustache hangs over the lips on the reference" in report[0][0]


def test_a_moustache_is_a_share_of_what_lies_above_the_lips():
    assert moustache(portrait_of((MOUSTACHE, BLACK)), drawn()) > 0.6
    assert moustache(portrait_of(), drawn()) == 0
    assert moustache(portrait_of((MOUSTACHE, BLACK)), replace(drawn(), scheme="")) == 0


def test_a_mouth_below_a_moustache_goes_to_a_target_with_one_alone(finder):
    worn = (MOUSTACHE, BLACK), (UPPER, RED), (LOWER, RED)
    bare, bearded = people(), people((MOUSTACHE, BLACK))
    refused, taken = (fuse(target, [gives(people(*worn), "mouth")], covers="spare") for target in (bare, bearded))
    assert torch.equal(refused.pictures, bare.pictures) and refused.changed.max() == 0
    assert "lies above the lips on the reference alone; choose another photograph" in refused.report[0][0]
    assert taken.changed.max() == 1 and "left as it was" not in taken.report[0][0]
    assert fuse(bare, [gives(people(*worn), "mouth")], covers="ignore").changed.max() == 1
