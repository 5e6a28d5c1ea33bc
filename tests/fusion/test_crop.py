import math
from dataclasses import replace

import pytest
import torch
from face_part_fusion.detectors.parts import Face, FaceParts, Region
from face_part_fusion.fusion.crop import ALIGNMENTS, crop_faces, paste_back
from face_part_fusion.fusion.masks import part_mask
from face_part_fusion.fusion.similarity import apply_affine, invert_affine
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

SIZE = (150, 130)
# FFHQ's template for 512 pixels: eyes, nose tip, corners of the mouth.
TEMPLATE = torch.tensor(
    [[192.981, 239.947], [318.903, 240.194], [256.634, 314.019], [201.261, 371.41], [313.089, 371.151]]
)


def face(x=65.0, y=75.0, scale=0.2, roll=0.0):
    c, s = math.cos(roll) * scale, math.sin(roll) * scale
    points = (TEMPLATE - 290) @ torch.tensor([[c, s], [-s, c]]) + torch.tensor([x, y])
    (x0, y0), (x1, y1) = (points.amin(0) - 20 * scale).tolist(), (points.amax(0) + 20 * scale).tolist()
    mouth = Region((torch.stack([points[3], points[2], points[4]]),))
    return Face((x0, y0, x1, y1), 0.9, points, "five", (0.0, 0.0, math.degrees(roll)), {"mouth": mouth})


def picture(seed=0, size=SIZE):
    coarse = torch.rand(1, 3, 30, 26, generator=torch.Generator().manual_seed(seed))
    return interpolate(coarse, size, mode="bilinear", align_corners=False)[0].permute(1, 2, 0)[None]


def parts(*faces, pictures=None):
    pictures = torch.cat([picture(i) for i in range(len(faces))]) if pictures is None else pictures
    listed = tuple(() if f is None else (f,) for f in faces)
    return FaceParts(pictures, listed, tuple(None if f is None else 0 for f in faces))


@pytest.mark.parametrize("roll", [-2.5, -0.4, 0.0, 0.7, 3.0])
def test_upright_turns_the_eyes_level_left_before_right(roll):
    _, cropped, _ = crop_faces(parts(face(roll=roll)), 128)
    left, right = cropped.face(0).landmarks[:2]
    assert abs(float(left[1] - right[1])) < 0.01 and left[0] < right[0]
    assert abs((cropped.face(0).angles[2] + 180) % 360 - 180) < 0.2


@pytest.mark.parametrize("align", ["upright", "unrotated"])
@pytest.mark.parametrize("padding", [0.0, 0.5, 2.0])
def test_the_face_lies_in_the_middle_with_the_padding_asked_for(align, padding):
    _, cropped, _ = crop_faces(parts(face(roll=0.3)), 100, align, padding)
    low, high = cropped.face(0).landmarks.amin(0), cropped.face(0).landmarks.amax(0)
    assert torch.allclose((low + high) / 2, torch.tensor([50.0, 50.0]), atol=0.01)
    assert float((high - low).max()) == pytest.approx(100 / (1 + 2 * padding), abs=0.01)


def test_unrotated_keeps_the_roll():
    _, _, face_crop = crop_faces(parts(face(roll=0.5)), 64, "unrotated")
    matrix = face_crop.matrices[0]
    assert matrix[0, 1] == 0 == matrix[1, 0] and matrix[0, 0] == matrix[1, 1]


@settings(deadline=None, max_examples=20)
@given(st.floats(30, 90), st.floats(40, 110), st.floats(0.05, 0.6), st.floats(-3, 3), st.sampled_from([64, 256]))
def test_ffhq_lays_the_five_points_over_its_template(x, y, scale, roll, size):
    _, cropped, _ = crop_faces(parts(face(x, y, scale, roll)), size, "FFHQ")
    assert (cropped.face(0).landmarks - TEMPLATE * size / 512).norm(dim=1).max() < 0.05


def test_depth_grows_with_the_crop():
    deep = replace(face(roll=0.4), depth=torch.arange(5.0))
    _, cropped, _ = crop_faces(parts(deep), 256, "FFHQ")
    # The template is drawn for 512 pixels, and the face a fifth of that size.
    assert torch.allclose(cropped.face(0).depth, torch.arange(5.0) * 256 / 512 / 0.2, rtol=1e-4)


def test_a_crop_shows_what_the_picture_has_there():
    positions = torch.stack(torch.meshgrid(torch.arange(150.0), torch.arange(130.0), indexing="ij"), -1) / 150
    positions = torch.cat([positions, positions[..., :1]], -1)[None]
    crops, cropped, _ = crop_faces(parts(face(roll=0.4), pictures=positions), 256, "FFHQ")
    for crop_point, point in zip(cropped.face(0).landmarks, face(roll=0.4).landmarks, strict=True):
        column, row = (crop_point - 0.5).round().int().tolist()
        assert (crops[0, row, column, :2].flip(0) * 150 + 0.5 - point).norm() < 0.5


def test_parts_move_with_the_face_as_outlines_and_as_masks():
    one_face = face(roll=0.4)
    mask = part_mask(one_face, ["mouth"], SIZE)[60:130, 20:110]
    painted = Face(one_face.box, 1, one_face.landmarks, "five", regions={"mouth": Region(mask=mask, corner=(20, 60))})
    for size in (64, 200):
        outlined = part_mask(crop_faces(parts(one_face), size)[1].face(0), ["mouth"], (size, size))
        moved = part_mask(crop_faces(parts(painted), size)[1].face(0), ["mouth"], (size, size))
        assert (outlined - moved).abs().sum() < 0.12 * outlined.sum()


def test_a_face_of_a_bare_box_is_cropped_around_its_box_and_refused_by_ffhq():
    bare = Face((20.0, 40.0, 60.0, 100.0), 1)
    crops, cropped, _ = crop_faces(parts(bare), 120, "upright", 0.5)
    assert crops.shape == (1, 120, 120, 3) and cropped.face(0).box == pytest.approx((40, 30, 80, 90))
    with pytest.raises(ValueError, match="'FFHQ' needs landmarks, and this face came from a box or a mask"):
        crop_faces(parts(bare), 120, "FFHQ")


sizes = st.tuples(st.integers(1, 150), st.integers(1, 130))


@settings(deadline=None, max_examples=25)
@given(sizes, st.integers(8, 90), st.sampled_from(ALIGNMENTS), st.floats(-20, 140), st.floats(0.02, 0.6))
def test_an_empty_edit_gives_every_photograph_back_bit_for_bit(size, side, align, x, scale):
    people = parts(face(x, 75, scale, 0.3), pictures=picture(1, size))
    crops, _, face_crop = crop_faces(people, side, align)
    result, pasted = paste_back(crops, face_crop)
    assert crops.shape == (1, side, side, 3) and 0 <= crops.min() and crops.max() <= 1
    assert torch.equal(result, people.pictures) and pasted.shape == (1, *size) and pasted.max() == 0


@pytest.mark.parametrize("align", ALIGNMENTS)
@pytest.mark.parametrize("times", [1, 2])
def test_an_edit_comes_back_at_its_place_and_nowhere_else(align, times):
    people = parts(face(roll=0.3))
    crops, cropped, face_crop = crop_faces(people, 128, align)
    area = part_mask(cropped.face(0), ["mouth"], (128, 128))
    edited = torch.where(area[None, ..., None] > 0.5, torch.tensor([1.0, 0.0, 0.0]), crops)
    edited = interpolate(edited.permute(0, 3, 1, 2), scale_factor=times).permute(0, 2, 3, 1)
    mask = part_mask(cropped.face(0), ["mouth"], (128, 128), grow=3)[None]
    result, pasted = paste_back(edited, face_crop, mask)
    inner, outer = (part_mask(face(roll=0.3), ["mouth"], SIZE, grow=grow)[None] for grow in (-1.5, 6))
    assert (result[inner == 1] - torch.tensor([1.0, 0.0, 0.0])).abs().max() < 0.1
    assert torch.equal(result[outer == 0], people.pictures[outer == 0]) and pasted[outer == 0].max() == 0
    assert torch.equal(result[pasted == 0], people.pictures[pasted == 0]) and pasted[inner == 1].min() > 0.9


def test_a_changed_crop_fades_out_towards_its_border():
    crops, _, face_crop = crop_faces(parts(face()), 128, "unrotated", 0.2)
    result, pasted = paste_back(1 - crops, face_crop, feather=30)
    x0, y0 = apply_affine(invert_affine(face_crop.matrices[0]), torch.zeros(2)).tolist()
    assert pasted[0, 75, 65] > 0.999 and 0 < pasted[0, 75, int(x0) + 3] < 0.5 and pasted[0, : int(y0)].sum() == 0
    assert (paste_back(1 - crops, face_crop, feather=4)[1] >= pasted - 0.01).all() and result.min() >= 0


def test_without_a_feather_a_turned_crop_still_changes_nothing_beyond_its_border():
    crops, _, face_crop = crop_faces(parts(face(roll=0.7)), 64, padding=0.1)
    _, pasted = paste_back(1 - crops, face_crop, feather=0)
    rows, columns = torch.meshgrid(torch.arange(150) + 0.5, torch.arange(130) + 0.5, indexing="ij")
    positions = apply_affine(face_crop.matrices[0], torch.stack([columns, rows], -1))
    beyond = ((positions < 0) | (positions > 64)).any(-1)
    assert pasted[0][beyond].max() == 0 and pasted[0][~beyond].min() > 0.9


def test_one_mask_serves_all_crops_and_onto_is_pasted_on_instead():
    people = parts(face(), face(60))
    crops, _, face_crop = crop_faces(people, 64)
    half, onto = torch.zeros(1, 32, 32), torch.full((2, *SIZE, 3), 0.5)
    half[:, :, :16] = 1
    result, pasted = paste_back(1 - crops, face_crop, half, onto=onto)
    assert torch.equal(result[pasted == 0], onto[pasted == 0]) and pasted[0].max() == pasted[1].max() == 1
    assert pasted[0, :, 80:].max() == 0 and torch.equal(people.pictures, torch.cat([picture(0), picture(1)]))


def test_a_picture_without_a_face_keeps_its_place_and_is_not_touched():
    people = parts(face(), None, face(60))
    crops, cropped, face_crop = crop_faces(people, 64)
    result, pasted = paste_back(torch.zeros_like(crops), face_crop)
    assert cropped.chosen == (0, None, 0) and face_crop.has_face == (True, False, True) and len(crops) == 3
    assert torch.equal(result[1], people.pictures[1]) and pasted[1].max() == 0 < pasted[0].max()


@pytest.mark.parametrize(("x", "y"), [(0, 75), (130, 75), (65, 0), (65, 150), (-500, 75)])
def test_a_face_half_or_wholly_outside_is_cropped_and_pasted(x, y):
    people = parts(face(float(x), float(y)))
    crops, _, face_crop = crop_faces(people, 64)
    result, pasted = paste_back(1 - crops, face_crop)
    assert torch.equal(result[pasted == 0], people.pictures[pasted == 0]) and (pasted.max() > 0.5) == (x > -500)


@pytest.mark.parametrize("size", [(3, 8000), (8000, 3)])
def test_a_very_long_picture_and_a_face_without_size_are_no_trouble(size):
    point = Face((5.0, 5.0, 5.0, 5.0), 1, torch.full((5, 2), 5.0), "five")
    for one_face in (face(), point, None):
        people = parts(one_face, pictures=picture(0, size))
        crops, _, face_crop = crop_faces(people, 32)
        assert torch.equal(paste_back(crops, face_crop)[0], people.pictures)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"edited": torch.zeros(3, 32, 32, 3)}, "image has 3 crops but face_crop was made from 2 pictures"),
        ({"edited": torch.zeros(2, 32, 40, 3)}, "image is 40 x 32 pixels; an edited crop must stay square"),
        ({"mask": torch.ones(3, 32, 32)}, r"mask has shape \(3, 32, 32\); needed is one square mask"),
        ({"mask": torch.ones(32, 32)}, r"mask has shape \(32, 32\)"),
        ({"mask": torch.ones(2, 32, 40)}, r"mask has shape \(2, 32, 40\); needed is one square mask"),
        ({"onto": torch.zeros(2, 9, 9, 3)}, r"onto has shape \(2, 9, 9, 3\).*\(2, 150, 130, 3\)"),
    ],
)
def test_what_does_not_belong_to_the_crop_is_refused_with_both_sizes(values, message):
    crops, _, face_crop = crop_faces(parts(face(), face()), 32)
    with pytest.raises(ValueError, match=message):
        paste_back(**{"edited": crops, "crop": face_crop, **values})


@pytest.mark.parametrize("options", [{"align": "tilted"}, {"size": 7}, {"padding": -0.1}, {"padding": 5}])
def test_a_choice_outside_its_range_is_refused_by_name(options):
    (name, value), *_ = options.items()
    with pytest.raises(ValueError, match=f"{name} .*{value}"):
        crop_faces(parts(face()), **options)
