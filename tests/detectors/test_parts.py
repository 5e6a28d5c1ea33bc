import pytest
import torch
from face_part_fusion.detectors.parts import GROUPS, PART_CHOICES, PARTS, Face, FaceParts, PartMissing, Region, of_input


def rectangle(x0, y0, x1, y1):
    return Region((torch.tensor([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=torch.float32),))


def face(**regions):
    return Face((0, 0, 20, 20), 0.9, regions=regions)


def test_the_box_of_outlines_covers_every_ring():
    rings = rectangle(2, 3, 4, 5).rings + rectangle(8, 1, 9, 4).rings
    assert Region(rings).box() == (2, 1, 9, 5)


def test_the_box_of_a_mask_covers_its_white_pixels_and_starts_at_its_corner():
    mask = torch.zeros(6, 8)
    mask[2:4, 3:7] = 1
    mask[0, 0] = 0.5
    assert Region(mask=mask).box() == (3, 2, 7, 4)
    assert Region(mask=mask, corner=(10, 20)).box() == (13, 22, 17, 24)


def test_a_mask_counts_instead_of_outlines():
    assert Region(rectangle(0, 0, 50, 50).rings, torch.ones(2, 3), (1, 1)).box() == (1, 1, 4, 3)


def test_a_region_without_area_says_so():
    with pytest.raises(ValueError, match="mask is empty; paint the part white"):
        Region(mask=torch.full((3, 3), 0.4)).box()
    with pytest.raises(ValueError, match="neither an outline nor a mask"):
        Region().box()


def test_a_part_gives_one_region_and_a_group_gives_both_sides_left_first():
    left, right, nose = rectangle(2, 2, 5, 4), rectangle(9, 3, 12, 6), rectangle(5, 5, 8, 9)
    seen = face(left_eye=left, right_eye=right, nose=nose)
    assert seen.region("nose") == (nose,) and seen.region("eyes") == (left, right)
    assert seen.box_of("nose") == (5, 5, 8, 9) and seen.box_of("eyes") == (2, 2, 12, 6)


@pytest.mark.parametrize("group", GROUPS)
def test_half_a_group_is_not_the_group(group):
    left, right = GROUPS[group]
    assert not face(**{left: rectangle(0, 0, 1, 1)}).has(group)
    assert face(**{left: rectangle(0, 0, 1, 1), right: rectangle(2, 0, 3, 1)}).has(group)


def test_a_name_that_is_no_part_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="'ear' is not a part; choose one of eyes, brows, left_eye"):
        face().region("ear")


@pytest.mark.parametrize("part", PART_CHOICES)
def test_a_missing_part_is_told_with_what_is_there_and_somebody_who_can_give_it(part):
    with pytest.raises(PartMissing, match=f"has no '{part}' .it has no part.; '{part}' comes from .*wired in as"):
        face().region(part)


def test_a_missing_part_names_only_detectors_that_can_give_it():
    with pytest.raises(PartMissing) as hair:
        face(nose=rectangle(0, 0, 1, 1)).box_of("hair")
    assert "it has nose" in str(hair.value) and "built-in" not in str(hair.value) and "GroundingDINO" in str(hair.value)
    with pytest.raises(PartMissing, match="comes from the built-in detector or ComfyUI's own FACE_LANDMARKS"):
        face(left_eye=rectangle(0, 0, 1, 1)).region("eyes")


@pytest.mark.parametrize(
    ("where", "told"), [(("nose",), "^nose: this face has no"), (("nose", 2, 5), "^nose, picture 3 of 5: this face")]
)
def test_a_missing_part_is_told_with_its_input_and_in_a_batch_with_its_picture(where, told):
    with pytest.raises(PartMissing, match=told), of_input(*where):
        face().region("hair")


def test_choices_are_the_groups_and_then_every_part_once():
    assert PART_CHOICES == ("eyes", "brows", *PARTS) and len(set(PART_CHOICES)) == len(PART_CHOICES)
    assert {member for members in GROUPS.values() for member in members} <= set(PARTS)


def test_face_parts_know_their_size_their_count_and_the_chosen_face():
    one, two = face(), face()
    parts = FaceParts(torch.zeros(2, 5, 7, 3), ((one, two), ()), (1, None))
    assert parts.size == (5, 7) and len(parts) == 2 and parts.face(0) is two and parts.face(1) is None
    assert not parts.nobody and FaceParts(torch.zeros(1, 5, 7, 3), ((one,),), (None,)).nobody


@pytest.mark.parametrize(("faces", "chosen"), [((), (None,)), (((), ()), (None,)), (((),), ())])
def test_lists_that_do_not_match_the_pictures_are_refused_with_all_three_numbers(faces, chosen):
    with pytest.raises(ValueError, match=f"1 pictures, {len(faces)} face lists and {len(chosen)} choices"):
        FaceParts(torch.zeros(1, 4, 4, 3), faces, chosen)
