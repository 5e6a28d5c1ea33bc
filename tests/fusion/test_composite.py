from dataclasses import replace

import pytest
import torch
from face_part_fusion.command.demo import astronaut, group_photo
from face_part_fusion.command.photo import load_photo
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.find import find_faces
from face_part_fusion.detectors.parts import FaceParts
from face_part_fusion.detectors.regions import with_regions
from face_part_fusion.detectors.schemes import SCHEMES
from face_part_fusion.detectors.selection import choose
from face_part_fusion.fusion.composite import COMPOSITE_PARTS, WARPS, composite
from face_part_fusion.fusion.masks import part_mask
from support.drawn_faces import SIZE, drawn, fuse, gives, person, psnr


@pytest.fixture(scope="module")
def real():
    """The target, and the reference with six people."""
    pytest.importorskip("skimage", reason="scikit-image ships the target")
    pytest.importorskip("insightface", reason="insightface ships the references")
    detector = BuiltinDetector()
    target, group = (choose(picture, find_faces(picture, detector)) for picture in (astronaut(), group_photo()))
    # The person who looks most like the target.
    return target, replace(group, chosen=(min(range(6), key=lambda n: abs(group.faces[0][n].angles[0])),))


def painted(face, part):
    """Grey, with that part of the face in red."""
    picture = torch.full((1, *SIZE, 3), 0.5)
    picture[part_mask(face, [part], SIZE)[None] > 0.5] = torch.tensor([0.9, 0.1, 0.1])
    return FaceParts(picture, ((face,),), (0,))


def stretched(face, part, width):
    """The face with one part as many times as wide; the part alone."""
    (ring,) = SCHEMES[face.scheme].rings[part]
    points, indices = face.landmarks.clone(), list(ring)
    middle = points[indices].mean(0)
    points[indices] = middle + (points[indices] - middle) * torch.tensor([width, 1.0])
    return with_regions(replace(face, landmarks=points, regions={}))


@pytest.mark.parametrize("name", ["house_014", "gov_221"])
@pytest.mark.parametrize("part", COMPOSITE_PARTS)
def test_a_photographed_part_of_the_target_itself_changes_nothing(shared_faces, name, part):
    picture = load_photo(shared_faces / "portraits" / f"{name}.jpg")
    parts = choose(picture, find_faces(picture, BuiltinDetector()))
    pictures, changed, _ = fuse(parts, [gives(parts, part)])
    assert changed.max() == 1 and psnr(pictures, picture, changed > 0) > 90



@pytest.mark.parametrize("warp", WARPS)
@pytest.mark.parametrize("part", COMPOSITE_PARTS)
@pytest.mark.parametrize("scheme", ["mediapipe468", "insightface106"])
def test_a_part_of_the_target_itself_changes_nothing(part, warp, scheme):
    target = person(face=drawn(scheme))
    fused, changed, _ = fuse(target, [gives(target, part)], warp=warp)
    assert changed.max() == 1 and psnr(fused, target.pictures, changed > 0) >= 45
    assert torch.equal(fused[changed == 0], target.pictures[changed == 0])


@pytest.mark.parametrize("warp", WARPS)
def test_a_photographs_own_parts_change_nothing(real, warp):
    target = real[0]
    fused, changed, _ = composite(target, [gives(target, *COMPOSITE_PARTS)], warp=warp)
    assert psnr(fused, target.pictures, changed > 0) >= 45
    assert torch.equal(fused[changed == 0], target.pictures[changed == 0])


@pytest.mark.parametrize("warp", WARPS)
@pytest.mark.parametrize("part", ["eyes", "nose", "mouth"])
def test_another_persons_part_changes_that_area_and_not_one_pixel_elsewhere(real, part, warp):
    target, group = real
    fused, changed, _ = composite(target, [gives(group, part)], warp=warp)
    area = part_mask(target.face(0), [part], target.size)[None] == 1
    assert (fused - target.pictures).abs()[area].mean() > 0.02 and (changed[area] == 1).all()
    assert torch.equal(fused[changed == 0], target.pictures[changed == 0])
    assert changed.sum() < 0.2 * changed.numel() and 0 <= fused.min() and fused.max() <= 1


@pytest.mark.parametrize("roll", [0.0, 0.5, -1.2])
@pytest.mark.parametrize("warp", WARPS)
def test_a_part_lands_at_the_targets_place_size_and_roll(warp, roll):
    source = drawn(x=90, y=60, unit=40, roll=roll)
    giver = person(1, source)
    giver.pictures[part_mask(source, ["mouth"], SIZE, grow=1)[None] > 0] = torch.tensor([1.0, 0.0, 0.0])
    target = person()
    fused, _, _ = fuse(target, [gives(giver, "mouth")], warp=warp, tone=0)
    red = (fused[0, ..., 0] - fused[0, ..., 1]) > 0.6
    mouth = part_mask(drawn(), ["mouth"], SIZE) == 1
    assert (red & mouth).sum() > 0.95 * mouth.sum() and red.sum() < 2 * mouth.sum()


def test_strength_0_leaves_the_picture_bit_for_bit():
    target, giver = person(), person(5)
    fused, changed, _ = fuse(target, [gives(giver, *COMPOSITE_PARTS, strength=0)])
    assert torch.equal(fused, target.pictures) and changed.max() == 0


def test_half_strength_is_half_the_shape_and_not_two_mouths():
    """A target without lips but for a red line, and a reference whose red mouth is twice as wide."""
    narrow, wide = drawn(), stretched(drawn(), "mouth", 2.0)
    spans = []
    for strength in (0.0, 0.5, 1.0):
        target, giver = painted(narrow, "mouth"), painted(wide, "mouth")
        fused = fuse(target, [gives(giver, "mouth", strength=strength)], tone=0, light=0)[0][0]
        columns = torch.nonzero(((fused[..., 0] - fused[..., 1]) > 0.4).any(0)).flatten()
        spans.append(float(columns.max() - columns.min()))
    assert spans[0] < spans[1] < spans[2] and abs(spans[1] - (spans[0] + spans[2]) / 2) < 4


def test_outside_the_users_mask_nothing_changes_and_inside_it_does():
    mask = torch.zeros(1, *SIZE)
    mask[:, :, :80] = 1
    target = person()
    fused, changed, _ = fuse(target, [gives(person(5), "mouth", "eyes")], mask=mask)
    assert torch.equal(fused[:, :, 80:], target.pictures[:, :, 80:]) and (changed[mask == 0] == 0).all()
    assert (fused - target.pictures)[changed == 1].abs().mean() > 0.01


def test_what_the_users_mask_keeps_out_does_not_tint_the_rest():
    mask = torch.zeros(1, *SIZE)
    mask[:, :, 80:] = 1
    target, odd = person(), person()
    odd.pictures[:, :, :80] = odd.pictures[:, :, :80] * 0.3
    fused, other = (fuse(t, [gives(person(5), "mouth")], mask=mask)[0] for t in (target, odd))
    assert (fused - other)[:, :, 90:].abs().max() < 0.03


def test_what_a_references_mask_hides_is_not_taken():
    target, giver = person(), person(5)
    mask = torch.zeros(1, *SIZE)
    hidden, _, _ = fuse(target, [gives(giver, "mouth", mask=mask)])
    mask[:, :, :80] = 1
    half, _, _ = fuse(target, [gives(giver, "mouth", mask=mask)])
    assert torch.allclose(hidden, target.pictures, atol=1e-5)
    left, right = ((half - target.pictures)[0, 115:135, x].abs().mean() for x in (slice(65, 75), slice(92, 98)))
    assert left > 3 * right


def test_one_reference_serves_every_picture_and_none_depends_on_the_others():
    target, giver = person(count=3), person(7)
    calls = []
    fused, changed, _ = fuse(target, [gives(giver, "nose")], progress=lambda *done: calls.append(done))
    assert calls == [(1, 3), (2, 3), (3, 3)] and fused.shape == target.pictures.shape and changed.shape == (3, *SIZE)
    for i in range(3):
        assert torch.equal(fused[i : i + 1], fuse(person(i), [gives(giver, "nose")])[0])


def test_many_references_are_taken_one_for_each_picture():
    fused, _, _ = fuse(person(count=2), [gives(person(7, count=2), "nose")])
    assert torch.equal(fused[1:], fuse(person(1), [gives(person(8), "nose")])[0])


def test_another_number_of_references_is_refused_with_both_numbers():
    references = [gives(person(1), "nose"), gives(person(1, count=3), "mouth")]
    with pytest.raises(ValueError, match="reference 2 has 3 pictures and the target has 2"):
        fuse(person(count=2), references)


def test_a_picture_without_a_face_on_either_side_stays_as_it_is():
    pair = person(count=2)
    target = FaceParts(pair.pictures, ((), pair.faces[1]), (None, 0))
    fused, changed, _ = fuse(target, [gives(person(5), "eyes")])
    assert torch.equal(fused[0], pair.pictures[0]) and changed[0].max() == 0 < changed[1].max()
    nobody = FaceParts(person(5).pictures, ((),), (None,))
    assert torch.equal(fuse(pair, [gives(nobody, "eyes")])[0], pair.pictures)


def test_a_later_part_covers_an_earlier_one_whatever_the_order_of_the_references():
    target, skin, mouth = person(), gives(person(5), "skin"), gives(person(9), "mouth")
    fused, _, _ = fuse(target, [mouth, skin])
    assert torch.equal(fused, fuse(target, [skin, mouth])[0])
    lips = part_mask(drawn(), ["mouth"], SIZE, grow=-4)[None] == 1
    over = FaceParts(fuse(target, [skin])[0], target.faces, (0,))
    assert torch.allclose(fused[lips], fuse(over, [mouth])[0][lips], atol=1e-6)


def test_for_one_part_the_last_reference_is_on_top():
    target, below, above = person(), gives(person(5), "mouth"), gives(person(9), "mouth")
    lips = part_mask(drawn(), ["mouth"], SIZE, grow=-4)[None] == 1
    fused, alone, other = (fuse(target, list(r))[0][lips] for r in ((below, above), (above,), (below,)))
    assert (fused - alone).abs().mean() < 0.3 * (fused - other).abs().mean()


def test_inputs_are_not_modified_and_the_result_is_the_same_again():
    target, giver, mask = person(), person(5), torch.rand(1, *SIZE)
    before = [t.clone() for t in (target.pictures, giver.pictures, mask)]
    once, twice = (fuse(target, [gives(giver, "eyes", "skin", mask=mask)], mask=mask)[0] for _ in range(2))
    assert torch.equal(once, twice)
    assert all(torch.equal(a, b) for a, b in zip(before, (target.pictures, giver.pictures, mask), strict=True))
