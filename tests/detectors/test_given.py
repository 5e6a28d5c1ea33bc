import pytest
import torch
from face_part_fusion.detectors.given import boxes_per_picture, mask_per_picture, owner, with_mask
from face_part_fusion.detectors.parts import Face
from hypothesis import given
from hypothesis import strategies as st

H, W = 20, 30


def pictures(count=1):
    return torch.zeros(count, H, W, 3)


def a_box(x=2, y=3, width=4, height=5, **more):
    return {"x": x, "y": y, "width": width, "height": height, **more}


def painted(*boxes):
    mask = torch.zeros(H, W)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = 1
    return mask


@pytest.mark.parametrize("boxes", [a_box(), [a_box()], [[a_box()]]])
def test_one_box_in_any_of_the_hosts_shapes_serves_every_picture(boxes):
    expected = [((2, 3, 6, 8), "", 1.0)]
    assert boxes_per_picture(boxes, pictures(3)) == [expected] * 3


def test_a_list_per_picture_keeps_counts_labels_scores_and_empty_lists():
    boxes = [[], [a_box(label="face", score=0.5), a_box(x=0.5, score=None)]]
    assert boxes_per_picture(boxes, pictures(2)) == [
        [],
        [((2, 3, 6, 8), "face", 0.5), ((0.5, 3, 4.5, 8), "", 1.0)],
    ]


@pytest.mark.parametrize("boxes", [[], [[]], [[], []]])
def test_no_box_at_all_gives_an_empty_list_for_each_picture(boxes):
    assert boxes_per_picture(boxes, pictures(2)) == [[], []]


def test_another_number_of_lists_than_pictures_is_refused_with_both_numbers():
    with pytest.raises(ValueError, match="boxes has 2 lists but there are 3 picture"):
        boxes_per_picture([[a_box()], [a_box()]], pictures(3))


@given(
    x=st.floats(-40, 40), y=st.floats(-40, 40), width=st.floats(0.5, 80), height=st.floats(0.5, 80)
)  # fmt: skip
def test_a_box_is_clipped_to_its_picture_or_refused_when_it_lies_outside(x, y, width, height):
    outside = x >= W or y >= H or x + width <= 0 or y + height <= 0
    if outside:
        with pytest.raises(ValueError, match="box 1 of list 1 .* lies outside its picture of 30 x 20"):
            boxes_per_picture(a_box(x, y, width, height), pictures())
        return
    (((x0, y0, x1, y1), _, _),) = boxes_per_picture(a_box(x, y, width, height), pictures())[0]
    assert 0 <= x0 < x1 <= W and 0 <= y0 < y1 <= H
    assert (x0 == x or x <= 0) and (x1 == x + width or x1 == W)


@pytest.mark.parametrize("side", [{"width": 0}, {"height": -3}, {"width": float("nan")}])
def test_a_box_without_area_is_refused_by_number(side):
    with pytest.raises(ValueError, match="box 2 of list 1 .* has no area"):
        boxes_per_picture([a_box(), a_box(**side)], pictures())


@pytest.mark.parametrize("wrong", [None, "box", 3, [a_box(), []], [3], {"x": 1}, [[3]]])
def test_anything_else_on_the_boxes_wire_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match="^boxes"):
        boxes_per_picture(wrong, pictures())


@pytest.mark.parametrize("shape", [(H, W), (1, H, W), (1, 1, H, W)])
def test_one_mask_in_any_of_the_hosts_shapes_serves_every_picture(shape):
    mask = torch.rand(shape)
    out = mask_per_picture(mask, pictures(3))
    assert out.shape == (3, H, W) and torch.equal(out[2], mask.reshape(H, W))


def test_masks_come_out_as_float_between_0_and_1():
    assert mask_per_picture(torch.full((H, W), 3.0, dtype=torch.float64), pictures()).max() == 1
    assert mask_per_picture(torch.ones(H, W, dtype=torch.bool), pictures()).dtype == torch.float32


@pytest.mark.parametrize("size", [(H * 2, W * 2), (H // 2, W // 2), (7, 10), (13, 20)])
def test_a_mask_of_the_same_aspect_ratio_is_resized(size):
    assert torch.allclose(mask_per_picture(torch.ones(size), pictures()), torch.ones(1, H, W))


def test_a_mask_of_another_aspect_ratio_is_refused_with_both_sizes():
    with pytest.raises(ValueError, match=r"mask is 64 x 64 pixels \(a black one .* Load Image gives.* are 30 x 20"):
        mask_per_picture(torch.ones(1, 64, 64), pictures())
    with pytest.raises(ValueError, match="mask is 20 x 30 pixels but the pictures are 30 x 20"):
        mask_per_picture(torch.ones(1, W, H), pictures())


def test_another_number_of_masks_than_pictures_is_refused_with_both_numbers():
    with pytest.raises(ValueError, match="mask has 2 masks but there are 3 picture"):
        mask_per_picture(torch.ones(2, H, W), pictures(3))


@pytest.mark.parametrize("wrong", [torch.ones(W), torch.ones(1, 3, H, W), torch.ones(0, H, W)])
def test_another_mask_shape_is_refused(wrong):
    with pytest.raises(ValueError, match="mask has shape"):
        mask_per_picture(wrong, pictures())


def test_a_mask_that_holds_nan_is_refused():
    with pytest.raises(ValueError, match="mask holds values that are not numbers"):
        mask_per_picture(torch.full((H, W), float("nan")), pictures())


def test_the_face_under_the_mask_gets_it_as_its_region_and_keeps_the_rest():
    faces = (Face((0, 0, 12, 18), 0.9), Face((15, 0, 29, 18), 0.8))
    mask = painted((18, 6, 24, 10))
    ((first, second),) = with_mask([faces], mask[None], "nose")
    assert first is faces[0] and second.box == faces[1].box and second.score == 0.8
    assert second.box_of("nose") == (18, 6, 24, 10)
    assert second.regions["nose"].corner == (18, 6) and second.regions["nose"].mask.shape == (4, 6)


def test_a_mask_where_no_face_is_makes_a_new_face_of_its_bounding_box():
    ((old, new),) = with_mask([(Face((0, 0, 10, 10), 0.9),)], painted((20, 12, 28, 18))[None], "mouth")
    assert old.regions == {} and new.box == (20, 12, 28, 18) == new.box_of("mouth") and new.score == 1


@pytest.mark.parametrize("part", ["hair", "neck", "ears", "head", "background"])
def test_a_part_that_reaches_beyond_the_face_belongs_to_the_nearest_one(part):
    faces = (Face((0, 8, 8, 16), 0.9), Face((20, 8, 28, 16), 0.9))
    ((_, second),) = with_mask([faces], painted((19, 0, 29, 4))[None], part)
    assert second.has(part)


def test_a_mask_of_both_eyes_is_divided_at_the_middle_of_the_face():
    ((face,),) = with_mask([(Face((4, 0, 24, 20), 0.9),)], painted((6, 5, 10, 8), (17, 5, 21, 8))[None], "eyes")
    assert face.box_of("left_eye") == (6, 5, 10, 8) and face.box_of("right_eye") == (17, 5, 21, 8)


def test_a_rolled_face_divides_the_mask_across_its_own_axis():
    # The left eye of this face lies above the right one, both in the same columns.
    five = torch.tensor([[15.0, 5.0], [15.0, 15.0], [10.0, 10.0], [6.0, 6.0], [6.0, 14.0]])
    face = Face((2, 0, 22, 20), 0.9, five, "five")
    ((face,),) = with_mask([(face,)], painted((13, 3, 17, 7), (13, 13, 17, 17))[None], "eyes")
    assert face.box_of("left_eye") == (13, 3, 17, 7) and face.box_of("right_eye") == (13, 13, 17, 17)


def test_a_mask_over_one_eye_only_gives_that_eye_only():
    ((face,),) = with_mask([(Face((4, 0, 24, 20), 0.9),)], painted((17, 5, 21, 8))[None], "eyes")
    assert face.has("right_eye") and not face.has("left_eye")


def test_an_empty_mask_in_a_batch_leaves_that_picture_alone():
    faces = (Face((0, 0, 30, 20), 0.9),)
    kept, given_mask = with_mask([faces, faces], torch.stack([painted(), painted((10, 10, 14, 14))]), "nose")
    assert kept == faces and given_mask[0].has("nose")


def test_an_empty_mask_alone_is_refused():
    with pytest.raises(ValueError, match="mask is empty; paint the part 'nose' white"):
        with_mask([()], torch.full((1, H, W), 0.5), "nose")


def test_an_unknown_part_and_counts_that_differ_are_refused():
    with pytest.raises(ValueError, match="'ear' is not a part"):
        with_mask([()], painted((1, 1, 4, 4))[None], "ear")
    with pytest.raises(ValueError, match="mask has 2 masks but there are faces of 1 picture"):
        with_mask([()], painted((1, 1, 4, 4)).expand(2, H, W), "nose")


@given(x=st.floats(0, 20), y=st.floats(0, 20))
def test_a_part_inside_the_face_never_goes_to_a_face_that_does_not_hold_its_centre(x, y):
    boxes = [(0.0, 0.0, 8.0, 8.0), (6.0, 6.0, 14.0, 14.0)]
    index = owner(boxes, (x, y), "nose")
    holds = [b[0] <= x <= b[2] and b[1] <= y <= b[3] for b in boxes]
    assert holds[index] if index is not None else not any(holds)
    assert owner(boxes, (x, y), "hair") is not None


@pytest.mark.parametrize("key", ["x", "y", "width", "height", "score"])
@pytest.mark.parametrize("value", ["left", None, [3], {}])
def test_a_box_without_numbers_is_refused_by_key(key, value):
    if key == "score" and value is None:
        return
    with pytest.raises(ValueError, match=f"^boxes: the {key} of box 2 of list 1 is .*; it must be a number"):
        boxes_per_picture([a_box(), {**a_box(), key: value}], pictures())


def test_a_mask_without_white_is_refused_where_some_is_needed():
    black = torch.zeros(2, H, W)
    with pytest.raises(ValueError, match="^mask is black everywhere, so .* paint white what may be taken, or leave"):
        mask_per_picture(black, pictures(2), "what may be taken")
    assert not mask_per_picture(black, pictures(2)).any()
    black[1, 3, 4] = 0.1
    assert not mask_per_picture(black, pictures(2), "what may be taken")[0].any()


def test_the_black_mask_of_load_image_is_recognised_for_pictures_of_any_size():
    for size in ((64, 64), (128, 128), (64, 48)):
        with pytest.raises(ValueError, match=r"^mask is .*64 x 64 pixels is what ComfyUI's Load Image gives"):
            mask_per_picture(torch.zeros(1, 64, 64), torch.zeros(1, *size, 3), "what may be taken")
