import pytest
import torch
from face_part_fusion.detectors.boxes import corners_of
from face_part_fusion.detectors.parts import PARTS, Face, FaceParts, Region
from face_part_fusion.detectors.preview import PART_COLOURS, draw_preview

AMBER, WHITE = (255, 193, 7), (236, 239, 241)


def ring(*box):
    return corners_of(box)


def face(x0, y0, x1, y1, **regions):
    return Face((float(x0), float(y0), float(x1), float(y1)), 0.9, regions=regions)


def preview(*faces, chosen=None, size=(200, 240)):
    return draw_preview(FaceParts(torch.zeros(1, *size, 3), (faces,), (chosen,)))[0]


def near(drawn, colour, within=12):
    return ((drawn * 255 - torch.tensor(colour, dtype=torch.float32)).abs() <= within).all(-1)


def test_a_picture_without_faces_comes_back_as_it_was_and_the_batch_is_kept():
    pictures = (torch.rand(3, 20, 30, 3) * 255).round() / 255
    drawn = draw_preview(FaceParts(pictures, ((), (), (face(5, 5, 15, 15),)), (None, None, 0)))
    assert drawn.shape == (3, 20, 30, 3) and drawn.dtype == torch.float32 and 0 <= drawn.min() and drawn.max() <= 1
    assert torch.allclose(drawn[:2], pictures[:2], atol=1e-6) and not torch.allclose(drawn[2], pictures[2], atol=0.1)


@pytest.mark.parametrize("size", [(3000, 1500), (1024, 512), (1, 2048), (700, 1025)])
def test_a_preview_is_at_most_1024_pixels_long(size):
    drawn = preview(face(0, 0, 300, 300), chosen=0, size=size)
    scale = 1024 / max(size)
    assert drawn.shape == (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)), 3)


def test_a_picture_of_1024_pixels_or_less_keeps_its_size():
    assert preview(face(0, 0, 300, 300), chosen=0, size=(1024, 800)).shape == (1024, 800, 3)


def test_the_chosen_face_has_the_amber_frame_and_the_others_a_light_one():
    drawn = preview(face(20, 60, 80, 140), face(140, 60, 200, 140), chosen=1)
    amber, light = near(drawn, AMBER), near(drawn, WHITE)
    assert amber[:, 120:].sum() > 100 and amber[:, :120].sum() == 0
    assert light[:, :120].sum() > 50 and amber[100, 194:210].any() and drawn[100, 10:22].max() > 0.4


def test_further_chosen_faces_have_a_thin_amber_frame():
    two = (face(20, 60, 80, 140), face(140, 60, 200, 140))
    drawn = draw_preview(FaceParts(torch.zeros(1, 200, 240, 3), (two,), (1,), also=((0,),)))[0]
    amber = near(drawn, AMBER)
    # In a row below the labels.
    assert amber[100, 120:].sum() > amber[100, :120].sum() > 0 == near(drawn, WHITE)[90:].sum()


def test_without_a_chosen_face_nothing_is_amber():
    drawn = preview(face(20, 60, 80, 140))
    assert near(drawn, AMBER).sum() == 0 < near(drawn, WHITE).sum()


def test_every_number_looks_different():
    labels = [preview(*[face(60, 80, 160, 180)] * (n + 1), chosen=n) for n in range(3)]
    assert not any(torch.equal(a, b) for a, b in zip(labels, labels[1:], strict=False))


def test_a_label_at_the_top_edge_stays_in_the_picture():
    drawn = preview(face(0, 0, 100, 120), chosen=0)
    assert near(drawn, AMBER)[:25, :25].sum() > 80


def test_every_part_has_a_colour_of_its_own():
    assert set(PART_COLOURS) == set(PARTS)
    sides = {"left_eye": "right_eye", "left_brow": "right_brow", "mouth": "lips"}
    assert all(PART_COLOURS[one] == PART_COLOURS[other] for one, other in sides.items())
    assert len(set(PART_COLOURS.values())) == len(PARTS) - len(sides)


@pytest.mark.parametrize("part", sorted(set(PARTS) - {"lips", "background"}))
def test_a_part_is_drawn_in_its_colour(part):
    drawn = preview(face(60, 60, 180, 190, **{part: Region((ring(90, 90, 150, 150),))}), chosen=0)
    colour = tuple(round(value * 230 / 255) for value in PART_COLOURS[part])
    assert near(drawn[84:156, 84:156], colour, 25).sum() > 100


def test_a_painted_part_is_tinted_at_its_place_only():
    region = Region(mask=torch.ones(20, 30), corner=(100, 120))
    drawn = preview(face(60, 60, 180, 190, hair=region), chosen=0)
    assert drawn[122:138, 102:128].amin() > 0.05 and drawn[90:116, 90:140].max() == 0


def test_a_face_and_parts_beyond_the_picture_are_drawn_as_far_as_they_show():
    region = Region(mask=torch.ones(60, 90), corner=(200, 180))
    drawn = preview(face(-50, -60, 400, 300, nose=Region((ring(-20, 100, 300, 400),)), hair=region), chosen=0)
    assert drawn.shape == (200, 240, 3) and near(drawn, AMBER).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (3, 2)])
def test_tiny_and_narrow_pictures_are_drawn(size):
    drawn = preview(face(0, 0, 1, 1, nose=Region(mask=torch.ones(1, 1))), chosen=0, size=size)
    assert drawn.shape == (size[0], min(size[1], 1024), 3) and torch.isfinite(drawn).all()


def test_the_pictures_are_not_drawn_on():
    pictures = torch.zeros(1, 50, 50, 3)
    draw_preview(FaceParts(pictures, ((face(5, 5, 40, 40),),), (0,)))
    assert pictures.max() == 0
