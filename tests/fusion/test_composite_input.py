"""What the compositor makes of faces from other detectors, of odd pictures and of input that does not fit."""

import pytest
import torch
from face_part_fusion.detectors.parts import Face, FaceParts, PartMissing, Region
from face_part_fusion.detectors.schemes import five_points
from face_part_fusion.fusion.composite import COMPOSITE_PARTS, WARPS, PartReference, given_parts
from face_part_fusion.fusion.correspondence import shared_points
from face_part_fusion.fusion.masks import part_mask
from support.drawn_faces import SIZE, drawn, fuse, gives, person, portrait


def boxed(face, part, scheme=""):
    """The same face as a detector of boxes knows it, or one of five points."""
    x0, y0, x1, y1 = face.box_of(part)
    region = Region((torch.tensor([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]),))
    points = five_points(face.landmarks, face.scheme) if scheme else torch.zeros(0, 2)
    return Face(face.box, 0.9, points, scheme, regions={part: region})


def others(part):
    source = drawn(x=70, y=60, unit=50)
    mask = part_mask(source, [part], SIZE)
    painted = Face(source.box, 0.9, regions={part: Region(mask=mask)})
    return [boxed(source, part), boxed(source, part, "five"), drawn("insightface106", 70, 60, 50), painted]


@pytest.mark.parametrize("warp", WARPS)
@pytest.mark.parametrize("part", ["left_eye", "nose", "mouth"])
@pytest.mark.parametrize("which", range(4), ids=["box", "five points", "106 points", "mask"])
def test_a_part_comes_from_any_detector_to_any_other(part, warp, which):
    there = others(part)[which]
    for source, goal in ((there, drawn()), (drawn(), there)):
        giver, target = person(5, source), person(0, goal)
        giver.pictures[part_mask(source, [part], SIZE, grow=1)[None] > 0] = torch.tensor([1.0, 0.0, 0.0])
        fused, changed, _ = fuse(target, [gives(giver, part)], warp=warp, tone=0)
        red = (fused[0, ..., 0] - fused[0, ..., 1]) > 0.5
        area = part_mask(goal, [part], SIZE) == 1
        assert (red & area).sum() > 0.7 * area.sum() and torch.isfinite(fused).all()
        assert torch.equal(fused[changed == 0], target.pictures[changed == 0])


def test_points_belong_together_by_number_by_name_or_by_the_corners_of_the_box():
    mesh, dense = drawn(), drawn("insightface106", 70, 60, 50)
    assert len(shared_points(mesh, drawn(x=70), "mouth")[0]) == 20
    assert len(shared_points(mesh, drawn(x=70), "eyes")[0]) == 32
    ours, theirs = shared_points(mesh, dense, "mouth")
    assert ours.shape == theirs.shape == (4, 2)
    assert torch.allclose((ours - torch.tensor([80, 70])) / 60, (theirs - torch.tensor([70, 60])) / 50, atol=0.05)
    ours, theirs = shared_points(mesh, boxed(dense, "mouth"), "mouth")
    assert ours.shape == theirs.shape == (4, 2) and ours[0].tolist() == list(mesh.box_of("mouth")[:2])


def test_a_part_that_one_side_lacks_is_named_with_its_side():
    without = boxed(drawn(), "nose")
    for target, giver, whose in ((person(0, without), person(), "target"), (person(), person(0, without), "mouth")):
        with pytest.raises(PartMissing, match=f"^{whose}: this face has no 'mouth' .it has nose.; 'mouth' comes from"):
            fuse(target, [PartReference(giver, {"mouth": 1.0}, name="mouth")])


def test_a_lacking_part_in_a_batch_is_named_with_input_and_picture_before_anything_is_computed():
    whole, without, calls = drawn(), boxed(drawn(), "nose"), []
    batch = FaceParts(person(count=3).pictures, ((whole,), (whole,), (without,)), (0, 0, 0))
    for target, givers, message in (
        (batch, [person(5)], "target, picture 3 of 3: this face has no 'mouth'"),
        (person(count=3), [person(5), batch], "reference 2, picture 3 of 3: this face has no 'mouth'"),
    ):
        with pytest.raises(PartMissing, match=f"^{message}"):
            fuse(target, [gives(giver, "mouth") for giver in givers], progress=lambda *done: calls.append(done))
    assert not calls


def test_a_part_that_is_not_taken_may_be_lacking():
    without = boxed(drawn(), "nose")
    fuse(person(), [PartReference(person(0, without), {"mouth": 0.0, "nose": 1.0})])
    nobody = FaceParts(person().pictures, ((without,),), (None,))
    assert torch.equal(fuse(person(), [gives(nobody, "mouth")])[0], person().pictures)


@pytest.mark.parametrize("change", ["x=-5", "x=165", "y=-60", "y=175", "unit=3", "unit=300"])
def test_faces_half_outside_tiny_or_huge_are_no_trouble(change):
    name, _, value = change.partition("=")
    odd = drawn(**{name: float(value)})
    for target, giver in ((person(0, odd), person(5)), (person(), person(5, odd))):
        fused, changed, _ = fuse(target, [gives(giver, *COMPOSITE_PARTS)])
        assert torch.isfinite(fused).all() and 0 <= fused.min() and fused.max() <= 1
        assert torch.equal(fused[changed == 0], target.pictures[changed == 0])


def test_a_face_wholly_outside_changes_nothing():
    target = person(0, drawn(x=900))
    assert torch.equal(fuse(target, [gives(person(5), "mouth")])[0], target.pictures)


@pytest.mark.parametrize("lost", ["mouth", "nose"])
def test_a_painted_part_that_a_crop_cut_off_is_not_laid_and_spared_by_nobody(lost):
    whole = drawn()
    regions = {**whole.regions, lost: Region(mask=torch.zeros(5, 5))}
    cut = Face(whole.box, 0.9, whole.landmarks, whole.scheme, regions=regions)
    for target, giver in ((person(0, cut), person(5)), (person(), person(5, cut))):
        fused, changed, _ = fuse(target, [gives(giver, "mouth")])
        assert changed.max() == (lost != "mouth") and torch.equal(fused[changed == 0], target.pictures[changed == 0])


def test_landmarks_that_all_coincide_are_an_error():
    flat = Face((0.0, 0.0, 9.0, 9.0), 0.9, torch.full((468, 2), 50.0), "mediapipe468", regions=drawn().regions)
    for target, giver, side in ((person(0, flat), person(), "target"), (person(), person(0, flat), "source")):
        with pytest.raises(ValueError, match=f"the {side} landmarks all coincide"):
            fuse(target, [gives(giver, "mouth")])


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (2, 3), (8000, 2)])
def test_pictures_of_a_few_pixels_are_no_trouble(size):
    def small(seed):
        return FaceParts(portrait(seed, size)[None], ((drawn(x=0.5, y=0.2, unit=1.0),),), (0,))

    for target, giver in ((small(0), small(1)), (small(0), person()), (person(), small(0))):
        fused, _, _ = fuse(target, [gives(giver, "mouth", "eyes")])
        assert fused.shape == target.pictures.shape and torch.isfinite(fused).all()


@pytest.mark.parametrize("warp", WARPS)
def test_black_and_white_noise_stays_between_0_and_1(warp):
    noise = [torch.rand(1, *SIZE, 3, generator=torch.Generator().manual_seed(seed)).round() for seed in (1, 2)]
    target, giver = (FaceParts(picture, ((drawn(),),), (0,)) for picture in noise)
    fused, changed, _ = fuse(target, [gives(giver, *COMPOSITE_PARTS)], warp=warp)
    assert 0 <= min(fused.min(), changed.min()) and max(fused.max(), changed.max()) <= 1
    assert torch.isfinite(fused).all()


def test_reference_and_target_may_differ_in_size():
    giver = FaceParts(portrait(5, (400, 333))[None], ((drawn(x=160, y=150, unit=120),),), (0,))
    fused, changed, _ = fuse(person(), [gives(giver, "mouth")])
    assert fused.shape == (1, *SIZE, 3) and (fused - person().pictures)[changed == 1].abs().mean() > 0.01


def test_another_image_is_painted_on_instead():
    target, image = person(), torch.full((1, *SIZE, 3), 0.5)
    fused, changed, _ = fuse(target, [gives(person(5), "mouth")], image=image)
    assert torch.equal(fused[changed == 0], image[changed == 0]) and changed.max() == 1
    with pytest.raises(ValueError, match=r"image has shape \(1, 9, 9, 3\), but the target's parts were found in"):
        fuse(target, [], image=torch.zeros(1, 9, 9, 3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"warp": "bend"}, "warp is 'bend'; choose one of similarity, piecewise"),
        ({"tone": 1.5}, "tone is 1.5; it goes from 0"),
        ({"tone": float("nan")}, "tone is nan"),
        ({"grow": -1}, "grow is -1; it goes from 0 to 10"),
        ({"mask": torch.ones(1, 9, 9)}, r"mask has shape \(1, 9, 9\); needed is \(1, 180, 160\)"),
        ({"mask": torch.ones(2, *SIZE)}, r"mask has shape \(2, 180, 160\)"),
        ({"mask": torch.ones(SIZE)}, r"mask has shape \(180, 160\)"),
    ],
)
def test_a_choice_outside_its_range_is_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        fuse(person(), [gives(person(5), "mouth")], **options)


@pytest.mark.parametrize(
    ("strengths", "message"),
    [
        ({"hair": 1.0}, "'hair' cannot be composited; choose one of skin, brows"),
        ({"nose": 1.01}, "the strength of 'nose' is 1.01; it goes from 0 to 1"),
        ({"nose": -0.1}, "the strength of 'nose' is -0.1"),
        ({"nose": float("nan")}, "the strength of 'nose' is nan"),
    ],
)
def test_a_part_that_cannot_be_laid_and_a_strength_outside_0_to_1_are_refused(strengths, message):
    with pytest.raises(ValueError, match=message):
        fuse(person(), [PartReference(person(5), strengths)])


def test_a_references_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"the mask of reference 1 has shape \(1, 4, 4\); needed is \(1, 180, 160\)"):
        fuse(person(), [gives(person(5), "mouth", mask=torch.ones(1, 4, 4))])


def test_a_person_who_gives_nothing_is_an_error():
    assert given_parts({"eyes": 0.0, "nose": 0.3}) == {"nose": 0.3}
    with pytest.raises(ValueError, match="every part has the strength 0.* set at least one of eyes, nose above 0"):
        given_parts({"eyes": 0.0, "nose": 0.0})
