"""What the compositor says of each part, and the parts that it leaves as they were."""

import pytest
import torch
from face_part_fusion.detectors.parts import FaceParts
from face_part_fusion.fusion.composite import PartReference
from face_part_fusion.fusion.suitability import Fit, remarks
from support.drawn_faces import SIZE, drawn, fuse, gives, person, portrait
from support.mesh_head import mesh_head, shown, turned


def test_each_line_names_part_person_and_strength_in_drawing_order():
    references = [
        PartReference(person(5), {"mouth": 0.5, "nose": 1.0}, name="Ada"),
        PartReference(person(6), {"nose": 0.25, "eyes": 0.0}),
    ]
    (lines,) = fuse(person(), references).report
    starts = ["nose of Ada at 100%: ", "nose of reference 2 at 25%: ", "mouth of Ada at 50%: "]
    assert len(lines) == 3 and all(line.startswith(start) for line, start in zip(lines, starts, strict=True))


def test_a_person_who_is_called_like_the_part_is_not_named_again():
    """A node's input has the name of its part."""
    reference = PartReference(person(5), {"eyes": 1.0}, name="eyes")
    assert fuse(person(), [reference]).report[0][0].startswith("eyes at 100%: ")


def test_a_part_that_is_mostly_covered_is_left_as_it_was_and_the_report_says_on_which_side():
    """Spectacles, hands and masks are left out up to half of a part; beyond, nothing natural is left."""
    assert remarks(Fit(cover_on_reference=0.6, cover_on_target=0.1)) == [
        "left as it was: more than half of it is covered on the reference; choose another photograph"
    ]
    assert (
        "on the target" in remarks(Fit(cover_on_target=0.7))[0]
        and "kept on top" in remarks(Fit(cover_on_target=0.3))[0]
    )


def test_a_part_of_the_target_itself_suits_it():
    (lines,) = fuse(person(), [gives(person(), "nose", "mouth")]).report
    assert lines == ("nose of reference 1 at 100%: suits the target", "mouth of reference 1 at 100%: suits the target")


def test_there_is_one_report_for_each_picture_and_one_for_a_picture_without_a_face():
    pair = person(count=2)
    result = fuse(FaceParts(pair.pictures, ((), pair.faces[1]), (None, 0)), [gives(person(5), "mouth")])
    assert result.report[0] == ("left as it was: it has no chosen face",) and len(result.report) == 2
    assert result.report[1][0].startswith("mouth of reference 1")


@pytest.mark.parametrize("whose", ["target", "reference"])
def test_a_part_that_cannot_be_seen_leaves_the_picture_bit_for_bit_and_the_report_says_why(whose):
    hidden = {"hidden": ("right_eye",), "regions": shown(mesh_head(10), "right_eye")}
    target = turned(10, **(hidden if whose == "target" else {}))
    giver = turned(10, 5, **(hidden if whose == "reference" else {}))
    fused, changed, ((line,),) = fuse(target, [gives(giver, "eyes")])
    assert torch.equal(fused, target.pictures) and changed.max() == 0
    assert f"left as it was: right eye cannot be seen, as the {whose}'s head is turned away" in line
    assert fuse(target, [gives(giver, "nose")]).changed.max() == 1


def test_heads_that_look_too_far_apart_leave_the_picture_bit_for_bit_and_the_report_says_why():
    target = turned(28)
    fused, changed, ((line,),) = fuse(target, [gives(turned(-28, 5), "nose")])
    assert torch.equal(fused, target.pictures) and changed.max() == 0
    assert "left as it was: the heads look 56 degrees apart; choose a nearer reference" in line


@pytest.mark.parametrize(("yaw", "said"), [(0, False), (10, False), (22, True), (34, True)])
def test_a_turn_that_can_be_followed_is_followed_and_told(yaw, said):
    fused, changed, ((line,),) = fuse(turned(0), [gives(turned(yaw, 5), "brows")])
    assert (f"the heads look {yaw} degrees apart, so it was turned along" in line) == said and changed.max() == 1
    assert ("choose a reference that looks the same way" in line) == (yaw > 30)


def test_a_dark_and_a_small_reference_are_told():
    dark = person(5)
    dark.pictures.mul_(0.3)
    small = FaceParts(portrait(5, (60, 54))[None], ((drawn(x=27, y=24, unit=20),),), (0,))
    assert "the reference is far darker" in fuse(person(), [gives(dark, "nose")]).report[0][0]
    assert "was enlarged 3.0 times" in fuse(person(), [gives(small, "nose")]).report[0][0]


def test_what_is_said_of_both_eyes_is_said_once():
    dark = person(5)
    dark.pictures.mul_(0.3)
    ((line,),) = fuse(person(), [gives(dark, "eyes")]).report
    assert line.count("the reference is far darker") == 1


@pytest.mark.parametrize("light", [-0.1, 1.5, float("nan")])
def test_light_outside_0_to_1_is_refused(light):
    with pytest.raises(ValueError, match=f"light is {light}; it goes from 0 .keep the reference's. to 1"):
        fuse(person(), [gives(person(5), "mouth")], light=light)


def test_more_light_is_more_of_the_targets_light():
    side = torch.linspace(-0.2, 0.2, SIZE[1])[None, None, :, None]
    target, giver = person(), person()
    target.pictures[:] = (target.pictures + side).clamp(0, 1)
    missed = [
        float((fuse(target, [gives(giver, "skin")], light=light)[0] - target.pictures).abs().mean())
        for light in (0.0, 0.5, 1.0)
    ]
    assert missed[0] > missed[1] > missed[2] and missed[2] < 0.5 * missed[0]


def test_a_strength_between_lies_between():
    target, giver = person(), person(5)
    pictures = [fuse(target, [gives(giver, "nose", strength=s)])[0] for s in (0.0, 0.3, 0.7, 1.0)]
    differences = [float((picture - target.pictures).abs().mean()) for picture in pictures]
    assert differences[0] == 0 and differences[0] < differences[1] < differences[2] < differences[3]


@pytest.mark.parametrize(("part", "most"), [("nose", 30), ("brows", 48)])
def test_a_part_that_stands_out_from_the_face_is_left_sooner_than_one_with_a_mirror_image(part, most):
    within, beyond = (fuse(turned(0), [gives(turned(most + more, 5), part)]).report[0][0] for more in (-2, 2))
    assert "left as it was" in beyond and "left as it was" not in within
