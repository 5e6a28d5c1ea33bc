import pytest
import torch
from face_part_fusion.detectors.motion import MOTION
from face_part_fusion.injection.faces.motion_groups import motion_groups


def test_a_descriptor_from_landmarks_is_divided_into_its_groups_in_order():
    motion = torch.arange(52.0).view(2, 26)
    groups = motion_groups(motion)
    assert list(groups) == list(MOTION) and torch.equal(torch.cat(list(groups.values()), 1), motion)
    assert [group.shape[1] for group in groups.values()] == [len(values) for values in MOTION.values()]


def test_another_length_is_refused():
    with pytest.raises(ValueError, match=r"\(pictures, 26\); came \(1, 25\)"):
        motion_groups(torch.zeros(1, 25))
