import pytest
import torch
from face_part_fusion.command.demo import astronaut
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.find import MASK_IS, WHERE, find_faces, given_place
from face_part_fusion.detectors.parts import LANDMARK_PARTS, PART_CHOICES, Face, FaceParts
from face_part_fusion.detectors.preview import draw_preview
from face_part_fusion.detectors.selection import FaceMissing, choose

H, W = 60, 90
LEFT, RIGHT = Face((5.0, 10.0, 35.0, 50.0), 0.9), Face((50.0, 10.0, 80.0, 50.0), 0.8)


class FixedDetector:
    """Stands in for the detector: returns the same faces for every picture and records its calls."""

    def __init__(self, *faces):
        self.faces, self.searched, self.boxes = faces, 0, None

    def __call__(self, pictures, threshold, smallest, progress):
        self.searched += 1
        return (self.faces,) * len(pictures)

    def within(self, pictures, boxes):
        self.boxes = [list(own) for own in boxes]
        return tuple(tuple(Face(box, 0.5) for box in own) for own in boxes)


def pictures(count=1):
    return torch.zeros(count, H, W, 3)


def painted(x0, y0, x1, y1):
    mask = torch.zeros(1, H, W)
    mask[:, y0:y1, x0:x1] = 1
    return mask


def box(x0, y0, x1, y1, **more):
    return {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0, **more}


@pytest.fixture(scope="module")
def photo():
    """One portrait twice, side by side, (1, 512, 1024, 3), and the detector."""
    pytest.importorskip("skimage", reason="scikit-image ships the portrait")
    return torch.cat([astronaut(), astronaut()], 2), BuiltinDetector()


def test_with_nothing_wired_in_the_detector_searches():
    assert find_faces(pictures(2), FixedDetector(LEFT)) == ((LEFT,), (LEFT,))


def test_with_boxes_only_the_boxes_are_searched():
    builtin = FixedDetector(LEFT)
    faces = find_faces(pictures(2), builtin, boxes=[[box(1, 2, 30, 40)], []])
    assert builtin.searched == 0 and builtin.boxes == [[(1, 2, 30, 40)], []]
    assert [len(own) for own in faces] == [1, 0] and faces[0][0].box == (1, 2, 30, 40)


@pytest.mark.parametrize("part", PART_CHOICES)
def test_a_box_labelled_with_a_part_is_that_part_of_the_face_around_it(part):
    boxes = [box(5, 10, 35, 50, label="face"), box(50, 10, 80, 50), box(10, 20, 30, 30, label=part)]
    ((first, second),) = find_faces(pictures(), FixedDetector(), boxes=boxes)
    assert first.box == (5, 10, 35, 50) and first.box_of(part) == pytest.approx((10, 20, 30, 30)) and not second.regions
    assert draw_preview(FaceParts(pictures(), ((first, second),), (0,))).max() > 0


def test_a_part_box_outside_every_face_is_a_face_of_its_own():
    ((first, second),) = find_faces(
        pictures(), FixedDetector(), boxes=[box(5, 10, 35, 50), box(60, 20, 70, 30, label="mouth")]
    )
    assert not first.regions and second.box == (60, 20, 70, 30) == second.box_of("mouth")


def test_a_mask_keeps_only_the_face_whose_middle_is_white():
    builtin = FixedDetector(LEFT, RIGHT)
    assert find_faces(pictures(), builtin, mask=painted(40, 0, 90, 60)) == ((RIGHT,),)
    assert builtin.boxes is None


def test_a_mask_over_no_face_has_its_box_searched():
    builtin = FixedDetector(LEFT)
    ((face,),) = find_faces(pictures(), builtin, mask=painted(50, 10, 80, 50))
    assert builtin.boxes == [[(50, 10, 80, 50)]] and face.box == (50, 10, 80, 50)


def test_an_empty_mask_leaves_its_picture_without_a_face_and_of_a_part_it_is_refused():
    masks = torch.cat([painted(0, 0, 40, 60), torch.zeros(1, H, W)])
    assert find_faces(pictures(2), FixedDetector(LEFT), mask=masks) == ((LEFT,), ())
    assert find_faces(pictures(), FixedDetector(LEFT), mask=torch.zeros(1, H, W)) == ((),)
    with pytest.raises(ValueError, match="mask is empty; paint the part 'nose' white"):
        find_faces(pictures(), FixedDetector(LEFT), mask=torch.zeros(1, H, W), mask_is="nose")


def no_face(kind):
    """Inputs that give a place without a face in a portrait of 512 x 512 pixels: grey wall, or none at all."""
    wall = torch.zeros(1, 512, 512)
    wall[:, 10:70, 10:70] = 1
    landmarks = {"frames": [[]], "image_size": (512, 512)}
    return {
        "mask": {"mask": wall}, "empty mask": {"mask": wall * 0}, "boxes": {"boxes": box(10, 10, 70, 70)},
        "no boxes": {"boxes": [[]]}, "landmarks": {"landmarks": landmarks},
        "landmarks and mask": {"landmarks": landmarks, "mask": wall},
    }[kind]  # fmt: skip


@pytest.mark.parametrize("kind, where, advice", [
    ("mask", "under mask", "Paint the whole face white"), ("empty mask", "under mask, which is empty", "unplug"),
    ("boxes", "in boxes", "Draw them around whole faces"), ("no boxes", "in boxes", "or unplug boxes"),
    ("landmarks", "in landmarks", "unplug landmarks"), ("landmarks and mask", "under mask", "or unplug mask"),
])  # fmt: skip
def test_a_given_place_without_a_face_follows_on_missing_and_names_the_input(photo, kind, where, advice):
    picture, wired = photo[0][:, :, :512], no_face(kind)
    faces = find_faces(picture, photo[1], **wired)
    place = given_place(*(wired.get(name) for name in ("landmarks", "boxes", "mask")), WHERE)
    with pytest.raises(FaceMissing, match=f"no face found in the picture {where}. .*{advice}.*on_missing") as error:
        choose(picture, faces, place=place)
    assert "detector" not in str(error.value)
    both = choose(picture.expand(2, -1, -1, -1), (*photo[1](picture), *faces), on_missing="previous", place=place)
    assert both.chosen == (0, 0) and choose(picture, faces, on_missing="keep empty", place=place).chosen == (None,)


def test_nothing_wired_in_is_not_a_place_and_a_mask_of_a_part_is_none():
    assert given_place(None, None, None, WHERE) is None
    assert given_place(None, None, painted(0, 0, 9, 9), "nose") is None


@pytest.mark.parametrize("part", ["forehead", "chin"])
@pytest.mark.parametrize("kind", ["boxes", "mask"])
def test_a_box_or_mask_of_a_part_of_a_face_gets_no_mesh_beside_the_face(photo, part, kind):
    """Either no face, or the face itself: never a mouth on a forehead."""
    picture, detector = photo[0][:, :, :512], photo[1]
    ((face,),) = find_faces(picture, detector)
    x0, y0, x1, y1 = face.box
    w, h = x1 - x0, y1 - y0
    left, right = int(x0 + 0.1 * w), int(x1 - 0.1 * w)
    top, bottom = (
        (int(y0 - 0.25 * h), int(y0 + 0.2 * h)) if part == "forehead" else (int(y1 - 0.1 * h), int(y1 + 0.3 * h))
    )
    mask = torch.zeros(1, 512, 512)
    mask[:, top:bottom, left:right] = 1
    wired = {"boxes": box(left, top, right, bottom)} if kind == "boxes" else {"mask": mask}
    for one in find_faces(picture, detector, **wired)[0]:
        assert (one.landmarks - face.landmarks).norm(dim=1).mean() < 0.1 * w


def test_a_mask_with_a_parts_name_is_that_part_of_the_face_under_it():
    ((left, right),) = find_faces(pictures(), FixedDetector(LEFT, RIGHT), mask=painted(60, 30, 70, 40), mask_is="mouth")
    assert left is LEFT and right.box_of("mouth") == (60, 30, 70, 40)


def test_a_mask_for_an_unknown_part_is_refused():
    assert MASK_IS == (WHERE, *PART_CHOICES)
    with pytest.raises(ValueError, match="mask_is is 'chin'; choose one of where the face is, eyes"):
        find_faces(pictures(), FixedDetector(LEFT), mask=painted(0, 0, 9, 9), mask_is="chin")


def test_another_number_of_masks_or_boxes_than_pictures_is_refused():
    with pytest.raises(ValueError, match="mask has 2 masks but there are 3 picture"):
        find_faces(pictures(3), FixedDetector(LEFT), mask=painted(0, 0, 9, 9).repeat(2, 1, 1))
    with pytest.raises(ValueError, match="boxes has 2 lists but there are 3 picture"):
        find_faces(pictures(3), FixedDetector(LEFT), boxes=[[box(0, 0, 9, 9)], []])


def test_landmarks_of_the_host_are_taken_as_they_are_and_outlined():
    points = torch.rand(478, 2) * 40 + 10
    face = {"bbox_xyxy": [10, 10, 50, 50], "landmarks_xy": points.numpy(), "score": 0.7}
    builtin = FixedDetector(LEFT)
    ((outlined,), ()) = find_faces(pictures(2), builtin, landmarks={"frames": [[face], []], "image_size": (H, W)})
    assert builtin.searched == 0 and torch.equal(outlined.landmarks, points) and set(outlined.regions) == LANDMARK_PARTS


def test_a_photographs_faces_have_every_part_that_landmarks_give(photo):
    picture, detector = photo
    (faces,) = find_faces(picture, detector)
    assert len(faces) == 2
    for face in faces:
        x0, y0, x1, y1 = face.box
        assert set(face.regions) == LANDMARK_PARTS and face.box_of("eyes")[3] < face.box_of("mouth")[1]
        assert all(x0 - 1 <= face.box_of(p)[0] and face.box_of(p)[2] <= x1 + 1 for p in ("eyes", "nose", "mouth"))


@pytest.mark.parametrize("half", [0, 1])
def test_a_mask_or_a_box_picks_the_right_one_of_two_people(photo, half):
    picture, detector = photo
    expected = min(find_faces(picture, detector)[0], key=lambda f: abs(f.box[0] // 512 - half))
    mask = torch.zeros(1, *picture.shape[1:3])
    mask[:, :, 512 * half : 512 * (half + 1)] = 1
    x0, y0, x1, y1 = expected.box
    for wired in ({"mask": mask}, {"boxes": box(x0, y0, x1, y1)}):
        ((face,),) = find_faces(picture, detector, **wired)
        assert (face.landmarks - expected.landmarks).norm(dim=1).mean() < 0.03 * (x1 - x0)


def test_a_painted_nose_replaces_the_one_of_the_landmarks_and_nothing_else(photo):
    picture, detector = photo
    before = max(find_faces(picture, detector)[0], key=lambda f: f.box[0])
    x0, y0, x1, y1 = (int(value) for value in before.box_of("nose"))
    mask = torch.zeros(1, *picture.shape[1:3])
    mask[:, y0:y1, x0 : x1 + 9] = 1
    after = max(find_faces(picture, detector, mask=mask, mask_is="nose")[0], key=lambda f: f.box[0])
    assert after.box_of("nose") == (x0, y0, x1 + 9, y1) and after.box_of("mouth") == before.box_of("mouth")


def test_landmarks_and_boxes_together_are_refused_and_neither_is_silently_ignored():
    with pytest.raises(ValueError, match="landmarks and boxes both say where the faces are"):
        find_faces(
            pictures(), FixedDetector(LEFT), landmarks={"frames": [[]], "image_size": (H, W)}, boxes=[box(0, 0, 9, 9)]
        )
