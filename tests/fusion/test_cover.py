"""What lies over a face, from a parse to maps over windows of the target."""

import pytest
import torch
from face_part_fusion.detectors.parser_builtin import Parse
from face_part_fusion.detectors.parser_net import CLASSES
from face_part_fusion.fusion.cover import CoverFinder
from face_part_fusion.fusion.placement import Placement
from support.drawn_faces import SIZE, drawn, portrait

STEP, CORNER = 2, (20, 30)


class Stub:
    """A parser that sees `area` of one class on its grid and face elsewhere."""

    def __init__(self, name, area):
        self.name, self.area, self.calls = name, area, 0

    def __call__(self, picture, face, wide):
        self.calls += 1
        coarse = torch.zeros(len(CLASSES), 40, 30)
        coarse[CLASSES.index("face")] = 1
        rows, columns = self.area
        coarse[:, rows, columns] = 0
        coarse[CLASSES.index(self.name), rows, columns] = 1
        window = picture[CORNER[1] : CORNER[1] + 80, CORNER[0] : CORNER[0] + 60].permute(2, 0, 1)
        return Parse(window, CORNER, coarse, 2, SIZE, True, ())


BAND = slice(10, 14), slice(5, 25)
WHOLE = (0, 0, SIZE[1], SIZE[0])


def cover(name, area=BAND):
    return CoverFinder(Stub(name, area))(portrait(0, SIZE), drawn())


def test_a_frame_lies_where_the_parser_saw_it_in_pixels_of_the_picture():
    over = cover("frame").on_target("mouth", WHOLE)
    # Cells 10..13 and 5..24, each of two pixels, from the parsed window's corner on.
    inside = over[CORNER[1] + 20 : CORNER[1] + 28, CORNER[0] + 10 : CORNER[0] + 50]
    # Bicubic sampling rounds the corners.
    assert inside.min() > 0.9 and over.sum() < 2.2 * inside.numel()
    assert over[: CORNER[1]].max() == 0 and over[CORNER[1] + 40 :].max() == 0


def test_on_a_reference_it_moves_with_the_part():
    shift = torch.tensor([[1.0, 0.0, 7.0], [0.0, 1.0, -5.0]], dtype=torch.float64)
    points = torch.tensor([[0.0, 0.0], [9.0, 0.0]])
    placed = Placement(shift, points, points + torch.tensor([7.0, -5.0]), points, None)
    own = cover("frame").on_target("nose", WHOLE)
    laid = cover("frame").on_reference("nose", placed, WHOLE)
    assert torch.allclose(laid[:-5, 7:], own[5:, :-7], atol=0.02)


def test_hair_covers_every_part_but_brows():
    hair = cover("hair")
    assert all(hair.on_target(side, WHOLE).max() == 1 for side in ("left_eye", "skin", "nose", "mouth"))
    assert hair.on_target("left_brow", WHOLE).max() == 0


@pytest.mark.parametrize("behind", ["background", "ears", "neck", "body"])
def test_what_lies_behind_the_edge_of_a_head_is_left_out_when_the_target_is_turned_otherwise(behind):
    points = torch.tensor([[0.0, 0.0], [9.0, 0.0]])
    same, other = (Placement(torch.eye(2, 3).double(), points, points, points, turn) for turn in (10.0, 30.0))
    for side in ("right_eye", "left_brow", "nose", "mouth"):
        assert cover(behind).on_reference(side, other, WHOLE).max() == 1
        assert cover(behind).on_reference(side, same, WHOLE).max() == 0 == cover(behind).on_target(side, WHOLE).max()


def test_a_mirrored_cover_is_the_mirror_image():
    left = cover("frame", (slice(0, 40), slice(0, 12)))
    straight = left.on_target("nose", WHOLE)
    assert torch.allclose(left.mirrored(WHOLE[2]).on_target("nose", WHOLE), straight.flip(1), atol=1e-5)
    assert not torch.allclose(straight, straight.flip(1), atol=0.1)


def test_a_lens_covers_the_nose_beside_it_and_not_the_eye_behind_it():
    lens = cover("lens")
    assert lens.on_target("nose", WHOLE).max() == 1 and lens.on_target("left_eye", WHOLE).max() == 0


def test_a_hand_counts_and_a_red_cheek_that_is_taken_for_one_does_not():
    assert cover("occluder", (slice(0, 40), slice(0, 30))).on_target("mouth", WHOLE).max() == 1
    assert cover("occluder", (slice(0, 3), slice(0, 3))).on_target("mouth", WHOLE).max() == 0


def test_each_face_is_parsed_once():
    stub, face = Stub("frame", BAND), drawn()
    finder = CoverFinder(stub)
    assert finder(portrait(0, SIZE), face) is finder(portrait(0, SIZE), face) and stub.calls == 1


def test_a_dark_lens_covers_the_eye_behind_it_too():
    picture = portrait(0, SIZE).clone()
    rows, columns = (
        slice(start + 2 * band.start, start + 2 * band.stop) for start, band in zip(CORNER[::-1], BAND, strict=True)
    )
    picture[rows, columns] *= 0.2
    over = CoverFinder(Stub("lens", BAND))(picture, drawn()).on_target("left_eye", WHOLE)
    assert over.max() > 0.9 and cover("lens").on_target("left_eye", WHOLE).max() == 0
