import math

import numpy as np
import pytest
import torch
from face_part_fusion.detectors.host_landmarks import faces_from_landmarks
from face_part_fusion.detectors.pose import angles_of
from hypothesis import given
from hypothesis import strategies as st

H, W = 40, 60


def head(count=478):
    """A symmetric head of unit size that looks straight ahead: x right, y down, z away from the viewer."""
    points = np.zeros((count, 3), dtype=np.float32)
    named = {
        33: (-0.5, -0.3, 0.0), 263: (0.5, -0.3, 0.0), 133: (-0.2, -0.3, -0.1), 362: (0.2, -0.3, -0.1),
        234: (-0.8, 0.0, 0.5), 454: (0.8, 0.0, 0.5), 10: (0.0, -1.0, -0.2), 152: (0.0, 1.0, -0.2),
    }  # fmt: skip
    for index, point in named.items():
        points[index] = point
    return points


def turned(points, yaw, pitch, roll):
    y, p, r = (math.radians(a) for a in (yaw, pitch, roll))
    # The face's gaze is (0, 0, -1); each turn is written so that its positive sense is the one Face documents.
    about_x = [[1, 0, 0], [0, math.cos(p), math.sin(p)], [0, -math.sin(p), math.cos(p)]]
    about_y = [[math.cos(y), 0, -math.sin(y)], [0, 1, 0], [math.sin(y), 0, math.cos(y)]]
    about_z = [[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]]
    return (points @ (np.array(about_z) @ np.array(about_y) @ np.array(about_x)).T).astype(np.float32)


def payload(*frames, size=(H, W)):
    return {"frames": list(frames), "image_size": size, "connection_sets": {}}


def a_face(count=478, points=None, **more):
    points = head(count) if points is None else points
    xy = points[:, :2] * 10 + 20
    record = {"bbox_xyxy": np.array([10, 12, 28, 30], dtype=np.float32), "landmarks_xy": xy, "landmarks_3d": points,
              "presence": 7.0, "score": 0.9}  # fmt: skip
    return {**record, **more}


def pictures(count=1):
    return torch.zeros(count, H, W, 3)


@pytest.mark.parametrize("count", [468, 478])
def test_a_host_face_becomes_a_face_with_its_points_box_and_score(count):
    ((face,),) = faces_from_landmarks(payload([a_face(count)]), pictures())
    assert face.scheme == f"mediapipe{count}" and face.landmarks.shape == (count, 2)
    assert face.box == (10, 12, 28, 30) and face.score == 0.9 and not face.regions
    assert face.angles == pytest.approx((0, 0, 0), abs=1e-3)
    # The points lie ten times as far apart in the picture as in the host's crop, and so does their depth.
    assert torch.allclose(face.depth, torch.tensor(head(count)[:, 2]) * 10, rtol=1e-4)


def test_a_frame_without_a_face_keeps_its_place_in_the_batch():
    faces = faces_from_landmarks(payload([], [a_face(), a_face()]), pictures(2))
    assert [len(own) for own in faces] == [0, 2]


def test_the_payload_is_not_changed_by_writing_on_the_face():
    record = a_face()
    before = record["landmarks_xy"].copy()
    ((face,),) = faces_from_landmarks(payload([record]), pictures())
    face.landmarks.zero_()
    assert np.array_equal(record["landmarks_xy"], before)


@given(yaw=st.floats(-70, 70), pitch=st.floats(-60, 60), roll=st.floats(-170, 170))
def test_angles_read_back_the_turn_of_a_head(yaw, pitch, roll):
    points = torch.from_numpy(turned(head(), yaw, pitch, roll))
    assert angles_of(points) == pytest.approx((yaw, pitch, roll), abs=0.01)


def test_positive_yaw_looks_right_positive_pitch_up_and_positive_roll_turns_clockwise():
    nose, eye = np.array([[0, 0, -1.0]]), np.array([[1.0, 0, 0]])
    assert turned(nose, 30, 0, 0)[0, 0] > 0
    assert turned(nose, 0, 30, 0)[0, 1] < 0
    assert turned(eye, 0, 0, 30)[0, 1] > 0


@given(yaw=st.floats(-60, 60), roll=st.floats(-80, 80), scale=st.floats(0.05, 20))
def test_roll_and_scale_come_from_the_picture_though_the_host_gives_depth_in_an_upright_crop(yaw, roll, scale):
    upright, rolled = turned(head(), yaw, 10, 0), turned(head(), yaw, 10, roll)
    ((face,),) = faces_from_landmarks(payload([a_face(points=rolled, landmarks_3d=upright * scale + 96)]), pictures())
    assert face.angles == pytest.approx((yaw, 10, roll), abs=0.05)


def test_without_depth_the_angles_are_unknown():
    record = a_face()
    del record["landmarks_3d"]
    ((face,),) = faces_from_landmarks(payload([record]), pictures())
    assert face.angles is None


def test_angles_need_a_mesh():
    with pytest.raises(ValueError, match=r"\(468 or 478, 3\); came \(68, 3\)"):
        angles_of(torch.zeros(68, 3))


def test_one_frame_does_not_serve_two_pictures_and_the_error_gives_both_numbers():
    with pytest.raises(ValueError, match=r"landmarks has 1 frame.* 2 picture"):
        faces_from_landmarks(payload([a_face()]), pictures(2))


def test_another_picture_size_is_refused_with_both_sizes():
    with pytest.raises(ValueError, match="80 x 30 pixels, but these are 60 x 40"):
        faces_from_landmarks(payload([a_face()], size=(30, 80)), pictures())


@pytest.mark.parametrize("key", ["landmarks_xy", "bbox_xyxy", "score"])
def test_a_missing_key_of_a_face_is_named(key):
    record = a_face()
    del record[key]
    with pytest.raises(ValueError, match=f"landmarks: face 1 of frame 1 has no '{key}'"):
        faces_from_landmarks(payload([record]), pictures())


@pytest.mark.parametrize("wrong", [None, [], "text", {}, {"frames": []}, {"frames": 3, "image_size": (H, W)}])
def test_anything_else_on_the_wire_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match="^landmarks"):
        faces_from_landmarks(wrong, pictures())


def test_another_number_of_points_is_refused_with_its_shape():
    with pytest.raises(ValueError, match=r"'landmarks_xy' of face 1 of frame 1 has shape \(68, 2\)"):
        faces_from_landmarks(payload([a_face(landmarks_xy=np.zeros((68, 2)))]), pictures())
    with pytest.raises(ValueError, match=r"'landmarks_3d' .* needed is \(478, 3\)"):
        faces_from_landmarks(payload([a_face(landmarks_3d=head(468))]), pictures())


def test_points_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="NaN or infinity"):
        faces_from_landmarks(payload([a_face(landmarks_xy=np.full((478, 2), np.nan))]), pictures())


@pytest.mark.parametrize("key", ["landmarks_xy", "bbox_xyxy", "score", "landmarks_3d"])
def test_values_that_are_not_numbers_are_refused_by_key(key):
    with pytest.raises(ValueError, match=f"^landmarks: '{key}' of face 1 of frame 1 must be "):
        faces_from_landmarks(payload([a_face(**{key: [["a", 1], [2]]})]), pictures())


def test_a_frame_that_is_not_a_list_of_faces_is_refused_by_number():
    with pytest.raises(ValueError, match="landmarks: frame 1 must be a list of faces, came NoneType"):
        faces_from_landmarks({"frames": [None], "image_size": (H, W)}, pictures())
