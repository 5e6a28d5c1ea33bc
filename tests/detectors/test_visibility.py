"""Parts that a turned head hides."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from face_part_fusion.detectors.conventions import fuse_any_part_boxes
from face_part_fusion.detectors.find import find_faces
from face_part_fusion.detectors.parts import LANDMARK_PARTS, Face, PartMissing, Region
from face_part_fusion.detectors.visibility import HIDDEN_FROM, hidden_parts, without_hidden
from support.drawn_faces import drawn


def turned(yaw: float) -> Face:
    face = drawn()
    return replace(face, angles=(yaw, 0.0, 0.0), depth=torch.zeros(len(face.landmarks)))


@pytest.mark.parametrize(("yaw", "far", "near"), [(60.0, "right", "left"), (-60.0, "left", "right")])
def test_a_profile_has_its_near_eye_and_brow_and_neither_far_one(yaw: float, far: str, near: str) -> None:
    face = without_hidden(turned(yaw))
    assert face.hidden == (f"{far}_eye", f"{far}_brow")
    assert set(face.regions) == LANDMARK_PARTS - set(face.hidden)
    assert face.has(f"{near}_eye") and face.has(f"{near}_brow") and not face.has("eyes") and not face.has("brows")


@pytest.mark.parametrize("yaw", [0.0, 30.0, HIDDEN_FROM, -HIDDEN_FROM])
def test_a_face_that_is_turned_less_keeps_every_part(yaw: float) -> None:
    face = turned(yaw)
    assert without_hidden(face) is face and face.has("eyes")


def test_landmarks_without_depth_or_angles_are_left_as_they_are() -> None:
    assert hidden_parts(replace(turned(60), depth=None)) == () == hidden_parts(replace(turned(60), angles=None))


def test_a_hidden_part_is_refused_with_the_turn_of_the_head_and_what_to_do() -> None:
    face = without_hidden(turned(-60))
    message = "no 'eyes': the head is turned by 60 degrees, which hides left_eye; .* turned less, or right_eye alone"
    with pytest.raises(PartMissing, match=message):
        face.region("eyes")
    with pytest.raises(PartMissing, match="which hides left_brow; use a photograph whose head is turned less$"):
        face.box_of("left_brow")
    with pytest.raises(PartMissing, match="'hair' comes from"):
        face.region("hair")


def test_fuse_any_part_boxes_of_a_profile_refuse_the_eyes_and_give_nose_and_mouth() -> None:
    face = without_hidden(turned(60))
    with pytest.raises(PartMissing, match="which hides right_eye"):
        fuse_any_part_boxes(face, (180, 160))
    assert set(fuse_any_part_boxes(face, (180, 160), parts=("nose", "mouth"))) == {"nose", "mouth"}


class ProfileDetector:
    """Finds one profile without regions, as the built-in detector does."""

    def __call__(self, pictures, threshold, smallest, progress):
        return ((replace(turned(60), regions={}),),) * len(pictures)


def test_a_search_leaves_hidden_parts_out_and_a_painted_part_counts() -> None:
    pictures, mask = torch.zeros(1, 180, 160, 3), torch.zeros(1, 180, 160)
    ((face,),) = find_faces(pictures, ProfileDetector())
    assert face.hidden == ("right_eye", "right_brow") and face.has("left_eye")
    mask[:, 60:80, 70:90] = 1
    ((painted,),) = find_faces(pictures, ProfileDetector(), mask=mask, mask_is="right_eye")
    assert painted.has("eyes")


def test_a_part_that_came_with_the_face_is_kept() -> None:
    face = replace(turned(60), regions={"right_eye": Region.of_box((70, 60, 90, 80))})
    assert without_hidden(face, frozenset(face.regions)).has("right_eye")
