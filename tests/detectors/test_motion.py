import math

import pytest
import torch
from face_part_fusion.command.photo import load_photo
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.find import find_faces
from face_part_fusion.detectors.motion import MOTION, NAMES, motion_of
from face_part_fusion.detectors.parts import Face, FaceParts
from face_part_fusion.detectors.regions import eye_distance, with_regions
from face_part_fusion.detectors.schemes import SCHEMES
from face_part_fusion.detectors.selection import choose
from hypothesis import given, settings
from hypothesis import strategies as st

SIZE = 120


def parts(*faces, picture=None):
    picture = torch.full((SIZE, SIZE, 3), 0.5) if picture is None else picture
    found = tuple(() if face is None else (face,) for face in faces)
    return FaceParts(picture.expand(len(faces), -1, -1, -1), found, tuple(0 if f else None for f in found))


def face(scheme="mediapipe478", move=None, angles=(10.0, -5.0, 3.0)):
    """Eyes, mouth and brows where a face has them; every other point scattered about the oval's middle."""
    points = 40 + 40 * torch.rand(SCHEMES[scheme].count, 2, generator=torch.Generator().manual_seed(3))
    middles = {"left_eye": (45, 50), "right_eye": (75, 50), "left_brow": (45, 40), "right_brow": (75, 40),
               "inner_mouth": (60, 82), "mouth": (60, 82), "skin": (60, 62)}  # fmt: skip
    sizes = {"left_eye": (8, 3), "right_eye": (8, 4), "inner_mouth": (12, 3), "mouth": (16, 7), "skin": (36, 48)}
    for part in ("skin", "left_eye", "right_eye", "mouth", "inner_mouth"):
        for ring in SCHEMES[scheme].rings.get(part, ())[:1]:
            turn = torch.arange(len(ring)) / len(ring) * 2 * math.pi
            points[list(ring)] = torch.tensor(middles[part], dtype=torch.float32) + torch.stack(
                [-turn.cos() * sizes[part][0], -turn.sin() * sizes[part][1]], 1
            )
    if scheme == "mediapipe478":
        points[468:473], points[473:478] = torch.tensor([45.0, 50]), torch.tensor([77.0, 51])
    points = points if move is None else points @ move[:, :2].T + move[:, 2]
    low, high = points.amin(0).tolist(), points.amax(0).tolist()
    return with_regions(Face((*low, *high), 0.9, points, scheme, angles))


def split(motion):
    """A descriptor (B, 26) -> group -> (B, n)."""
    return dict(zip(MOTION, motion.split([len(values) for values in MOTION.values()], 1), strict=True))


def groups(*faces, **more):
    return split(motion_of(parts(*faces, **more)))


def test_every_value_has_a_name_and_absent_groups_are_all_zeros():
    assert len(NAMES) == len(set(NAMES)) == 26 and set(MOTION) == {"pose", "expression", "gaze", "texture", "lighting"}
    motion = motion_of(parts(face(), None, face("five", angles=None)))
    assert motion.shape == (3, 26) and motion.isfinite().all()
    assert all(group[0, 0] == 1 for group in split(motion).values())
    assert not motion[1:].any()


def test_a_scheme_without_irises_has_no_gaze_but_an_expression():
    found = groups(face("mediapipe468"))
    assert not found["gaze"].any() and found["expression"][0, 0] == 1


def test_the_pose_is_the_detectors_in_radians():
    assert groups(face())["pose"][0].tolist() == pytest.approx([1, math.radians(10), math.radians(-5), math.radians(3)])


def test_an_eye_that_looks_to_the_right_reads_right_of_its_middle():
    gaze = dict(zip(MOTION["gaze"], groups(face())["gaze"][0].tolist(), strict=True))
    assert gaze["left_across"] == pytest.approx(0, abs=1e-3)
    assert gaze["right_across"] > 0.2 and gaze["right_down"] > 0.05


def test_expression_is_measured_in_eye_distances():
    found = dict(zip(MOTION["expression"], groups(face())["expression"][0].tolist(), strict=True))
    assert found["right_eye_opening"] > found["left_eye_opening"] > 0
    assert found["mouth_opening"] == pytest.approx(6 / eye_distance(face()), rel=0.02)


@settings(deadline=None, max_examples=25)
@given(st.floats(-60, 60), st.floats(0.5, 3), st.floats(-50, 50))
def test_turning_moving_and_scaling_a_face_changes_neither_expression_nor_gaze(angle, scale, shift):
    c, s = scale * math.cos(math.radians(angle)), scale * math.sin(math.radians(angle))
    moved = groups(face(move=torch.tensor([[c, -s, shift], [s, c, -shift]])))
    for name, still in groups(face()).items():
        if name in ("expression", "gaze"):
            assert torch.allclose(moved[name], still, atol=2e-3)


def test_the_light_on_an_ellipsoid_is_found_again():
    subject, light = face(), torch.tensor([0.45, 0.2, -0.15, 0.1])
    box = subject.box_of("skin")
    half = torch.tensor([(box[2] - box[0]) / 2, (box[3] - box[1]) / 2])
    place = torch.stack(torch.meshgrid(*[torch.arange(SIZE) + 0.5] * 2, indexing="xy"), -1)
    flat = (place - torch.tensor([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])) / half
    depth = (1 - flat.square().sum(-1)).clamp_min(0).sqrt()
    normals = torch.cat([flat / half, (depth / half[0])[..., None]], -1)
    normals = normals / normals.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    picture = (light[0] + normals @ light[1:])[..., None].expand(-1, -1, 3)
    found = groups(subject, picture=picture)
    assert found["lighting"][0, 1:].tolist() == pytest.approx(light.tolist(), abs=0.02)
    even = groups(subject, picture=torch.tensor([0.6, 0.4, 0.3]).expand(SIZE, SIZE, 3))
    assert even["texture"][0, 1:].tolist() == pytest.approx([0.6, 0.4, 0.3], abs=1e-4)
    assert even["lighting"][0, 2:].abs().amax() < 1e-3


def seen(path, flip=False):
    picture = load_photo(path).flip(2) if flip else load_photo(path)
    return split(motion_of(choose(picture, find_faces(picture, BuiltinDetector()), "large-small", 0)))


def test_a_mirrored_photograph_swaps_left_and_right(shared_faces):
    one, other = (seen(shared_faces / "photos" / "faceapi_surprised.jpg", flip) for flip in (False, True))
    assert torch.allclose(one["pose"], other["pose"] * torch.tensor([1, -1, 1, -1]), atol=0.05)
    assert torch.allclose(one["expression"], other["expression"][:, [0, 1, 2, 3, 5, 4, 7, 6]], atol=0.03)
    assert torch.allclose(one["gaze"], other["gaze"][:, [0, 3, 4, 1, 2]] * torch.tensor([1, -1, 1, -1, 1]), atol=0.05)
    assert torch.allclose(one["lighting"], other["lighting"] * torch.tensor([1, 1, -1, 1, 1]), atol=0.03)


def test_expressions_of_photographs_read_as_they_look(shared_faces):
    def expression(name):
        return dict(zip(MOTION["expression"], seen(shared_faces / "photos" / name)["expression"][0], strict=True))

    happy, surprised, angry = (expression(f"faceapi_{name}.jpg") for name in ("happy", "surprised", "angry"))
    assert surprised["mouth_opening"] > happy["mouth_opening"] > 5 * angry["mouth_opening"]
    assert happy["mouth_width"] > 1.2 * angry["mouth_width"]
    assert surprised["left_eye_opening"] > 1.3 * happy["left_eye_opening"]
    assert surprised["left_brow_raise"] > angry["left_brow_raise"]
