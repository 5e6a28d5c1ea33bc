import pytest
from face_part_fusion.detectors.conventions import fuse_any_part_boxes
from face_part_fusion.detectors.parts import Face, PartMissing, Region
from hypothesis import assume, given
from hypothesis import strategies as st

# Median outlines of 43 photographed faces laid on the published samples by their nose and mouth (scale 0.86).
AVERAGE = {"left_eye": (183, 237, 236, 257), "right_eye": (278, 237, 331, 257), "nose": (222, 238, 288, 330),
           "mouth": (206, 349, 308, 384)}  # fmt: skip


def face_of(parts):
    def ring(x0, y0, x1, y1):
        return Region.of_box((x0, y0, x1, y1))

    return Face((100, 100, 400, 450), 0.9, regions={part: ring(*box) for part, box in parts.items()})


def shifted(parts, dx, dy, scale=1.0):
    return {name: (x0 * scale + dx, y0 * scale + dy, x1 * scale + dx, y1 * scale + dy)
            for name, (x0, y0, x1, y1) in parts.items()}  # fmt: skip


def test_an_average_face_gets_the_boxes_of_the_published_sample_within_a_few_pixels():
    boxes = fuse_any_part_boxes(face_of(AVERAGE), (512, 512))
    published = {"eyes": (202, 160, 259, 356), "nose": (259, 222, 349, 288), "mouth": (349, 206, 384, 308)}
    for part, box in published.items():
        assert [v * 512 for v in boxes[part]] == pytest.approx(box, abs=6)


@given(dx=st.floats(-150, 150), dy=st.floats(-180, 120), scale=st.floats(0.3, 1.2))
def test_stacked_boxes_meet_hold_their_parts_and_stay_in_the_picture(dx, dy, scale):
    parts = shifted(AVERAGE, dx, dy, scale)
    assume(all(0 < v < 512 for box in parts.values() for v in box))
    face = face_of(parts)
    boxes = fuse_any_part_boxes(face, (512, 512))
    assert boxes["eyes"][2] == boxes["nose"][0] and boxes["nose"][2] == boxes["mouth"][0]
    for y0, x0, y1, x1 in boxes.values():
        assert 0 <= y0 < y1 <= 1 and 0 <= x0 < x1 <= 1
    y0, x0, y1, x1 = (v * 512 for v in boxes["eyes"])
    ex0, ey0, ex1, ey1 = face.box_of("eyes")
    assert x0 <= ex0 and y0 <= ey0 + 1e-3 and x1 >= ex1 and y1 >= ey1 - 1e-3


def test_height_and_width_of_a_picture_that_is_not_square_are_kept_apart():
    boxes = fuse_any_part_boxes(face_of(AVERAGE), (512, 1024), stacked=False)
    assert boxes["mouth"] == pytest.approx((349 / 512, 206 / 1024, 384 / 512, 308 / 1024))


def test_boxes_that_are_not_stacked_are_those_of_the_regions():
    boxes = fuse_any_part_boxes(face_of(AVERAGE), (512, 512), stacked=False)
    assert [v * 512 for v in boxes["eyes"]] == pytest.approx((237, 183, 257, 331))


def test_boxes_are_clipped_at_the_picture():
    boxes = fuse_any_part_boxes(face_of(shifted(AVERAGE, -220, 0)), (512, 512))
    assert boxes["eyes"][1] == 0 and boxes["mouth"][1] == 0


def test_a_part_outside_the_picture_is_refused_by_name():
    with pytest.raises(ValueError, match="the mouth box of this face lies outside the picture of 512 x 340"):
        fuse_any_part_boxes(face_of(AVERAGE), (340, 512))


@pytest.mark.parametrize("turn", [lambda x, y: (512 - x, 512 - y), lambda x, y: (y, x)])
def test_a_face_upside_down_or_on_its_side_cannot_be_stacked_and_says_what_to_do(turn):
    parts = {}
    for name, (x0, y0, x1, y1) in AVERAGE.items():
        (ax, ay), (bx, by) = turn(x0, y0), turn(x1, y1)
        parts[name] = min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)
    with pytest.raises(ValueError, match="make an upright crop of the face first"):
        fuse_any_part_boxes(face_of(parts), (512, 512))
    assert set(fuse_any_part_boxes(face_of(parts), (512, 512), stacked=False)) == {"eyes", "nose", "mouth"}


def test_a_face_without_one_of_the_parts_is_refused_by_name():
    parts = {name: box for name, box in AVERAGE.items() if name != "nose"}
    with pytest.raises(PartMissing, match="no 'nose'"):
        fuse_any_part_boxes(face_of(parts), (512, 512))


@pytest.mark.parametrize("part", ["eyes", "nose", "mouth"])
def test_a_face_with_a_single_part_has_the_box_of_its_region(part):
    only = {name: box for name, box in AVERAGE.items() if name == part or (part == "eyes" and "eye" in name)}
    face = face_of(only)
    for stacked in (True, False):
        boxes = fuse_any_part_boxes(face, (512, 512), stacked, [part])
        x0, y0, x1, y1 = face.box_of(part)
        assert list(boxes) == [part] and boxes[part] == pytest.approx((y0 / 512, x0 / 512, y1 / 512, x1 / 512))
        with pytest.raises(PartMissing):
            fuse_any_part_boxes(face, (512, 512), stacked)


@pytest.mark.parametrize("part", ["eyes", "nose", "mouth"])
def test_a_part_alone_has_the_box_that_it_has_among_the_others(part):
    for stacked in (True, False):
        every = fuse_any_part_boxes(face_of(AVERAGE), (512, 512), stacked)
        assert fuse_any_part_boxes(face_of(AVERAGE), (512, 512), stacked, [part]) == {part: every[part]}


def test_stacked_boxes_touch_the_neighbours_that_there_are():
    without_mouth = face_of({name: box for name, box in AVERAGE.items() if name != "mouth"})
    boxes = fuse_any_part_boxes(without_mouth, (512, 512), parts=["eyes", "nose"])
    assert boxes["eyes"][2] == boxes["nose"][0] == 257 / 512 and boxes["nose"][2] == 330 / 512
    without_eyes = face_of({name: AVERAGE[name] for name in ("nose", "mouth")})
    boxes = fuse_any_part_boxes(without_eyes, (512, 512), parts=["nose"])
    assert (boxes["nose"][0], boxes["nose"][2]) == (238 / 512, 349 / 512)
