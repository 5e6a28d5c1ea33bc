"""The attention mesh: its windows, its groups, and what must hold for its points on any face.

Parity with MediaPipe, which cannot run here, is measured by benchmarks/detection.py.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from face_part_fusion.detectors import attention_mesh, crops
from face_part_fusion.detectors.attention_mesh import AttentionMesh, GroupedBlazeBlock, TurnedWindow
from face_part_fusion.detectors.blaze_blocks import BlazeBlock
from face_part_fusion.detectors.bundled import load_bundled

PORTRAIT = "skimage_astronaut.png"
FACE = torch.tensor([224.0, 118.0, 190.0, 0.0])


@pytest.fixture(scope="module")
def mesh() -> AttentionMesh:
    return load_bundled(AttentionMesh(), "face_mesh_attention.safetensors")


@pytest.fixture(scope="module")
def portrait(shared_faces: Path) -> torch.Tensor:
    """(3, H, W) in 0..1."""
    cv2 = pytest.importorskip("cv2", reason="opencv is not installed")
    picture = cv2.imread(str(shared_faces / "photos" / PORTRAIT))
    return torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1).float() / 255


def in_picture(mesh: AttentionMesh, picture: torch.Tensor, square: torch.Tensor) -> torch.Tensor:
    points, presence = mesh(crops.crop(picture, square, 192)[None])
    assert torch.sigmoid(presence[0]) > 0.9
    return crops.to_picture(points[..., :2], square[None], 192)[0]


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_points_and_presence_have_a_row_for_each_crop(mesh: AttentionMesh) -> None:
    points, presence = mesh(noise(2, 3, 192, 192))
    assert points.shape == (2, 478, 3) and presence.shape == (2,)
    assert points.dtype == torch.float32 and bool(points.isfinite().all())


def test_no_crop_gives_no_points(mesh: AttentionMesh) -> None:
    points, presence = mesh(torch.zeros(0, 3, 192, 192))
    assert points.shape == (0, 478, 3) and presence.shape == (0,)


def test_crops_of_a_batch_do_not_see_each_other(mesh: AttentionMesh) -> None:
    seen = noise(3, 3, 192, 192)
    torch.testing.assert_close(mesh(seen)[0][1:2], mesh(seen[1:2])[0], atol=1e-2, rtol=0)


def test_noise_is_not_taken_for_a_face(mesh: AttentionMesh) -> None:
    assert torch.sigmoid(mesh(noise(4, 3, 192, 192))[1]).max() < 0.5


def test_only_eyes_and_lips_differ_from_the_coarse_mesh_and_no_depth_does(mesh: AttentionMesh) -> None:
    seen = noise(2, 3, 192, 192)
    fine, coarse = mesh(seen)[0], mesh.coarse(seen)[1]
    again = {index for points, _ in attention_mesh.HEADS for index in points}
    kept = sorted(set(range(468)) - again)
    assert len(kept) == 468 - 80 - 71 - 71 and set(range(478)) == again | set(kept)
    assert torch.equal(fine[:, kept], coarse[:, kept]) and torch.equal(fine[:, :468, 2], coarse[..., 2])
    assert not torch.isclose(fine[:, sorted(again)[:100], :2], coarse[:, sorted(again)[:100], :2]).all()


@pytest.mark.parametrize(("iris", "eye"), [(468, (33, 133)), (473, (362, 263))])
def test_an_iris_lies_in_its_eye_at_its_depth(
    mesh: AttentionMesh, portrait: torch.Tensor, iris: int, eye: tuple[int, int]
) -> None:
    points = mesh(crops.crop(portrait, FACE, 192)[None])[0][0]
    outer, inner = points[eye[0]], points[eye[1]]
    assert float(outer[0]) < float(points[iris, 0]) < float(inner[0])
    assert float((points[iris, :2] - (outer + inner)[:2] / 2).norm()) < 0.3 * float((outer - inner)[:2].norm())
    assert len(set(points[iris : iris + 5, 2].tolist())) == 1
    right, top, left, bottom = points[iris + 1 : iris + 5, :2]
    assert right[0] > left[0] and bottom[1] > top[1]


def test_windows_of_one_crop_are_looked_into_together_as_each_alone() -> None:
    features, centres = noise(2, 4, 48, 48), torch.tensor([[96.0, 90], [60, 130], [150, 20]]).repeat(2, 1)
    windows = TurnedWindow(centres + torch.arange(6.0)[:, None], torch.full((6, 2), 50.0), torch.linspace(-1, 1, 6))
    together = attention_mesh.sample_windows(features, windows, 3)
    singles = [TurnedWindow(*(field[i, None] for field in windows)) for i in range(6)]
    alone = [attention_mesh.sample_windows(features[i // 3, None], window) for i, window in enumerate(singles)]
    torch.testing.assert_close(together, torch.stack([torch.cat(alone[:3], 1)[0], torch.cat(alone[3:], 1)[0]]))


@pytest.mark.parametrize("angle", [-0.3, 0.15, 0.3])
def test_a_turned_crop_gives_the_same_points_of_the_picture(
    mesh: AttentionMesh, portrait: torch.Tensor, angle: float
) -> None:
    level = in_picture(mesh, portrait, FACE)
    turned = in_picture(mesh, portrait, FACE + torch.tensor([0, 0, 0, angle]))
    eyes = float((level[33] - level[263]).norm())
    assert float((level - turned).norm(dim=1).mean()) < 0.05 * eyes


def test_a_window_is_the_widened_rectangle_around_its_points() -> None:
    angle = 0.5
    corners = torch.tensor([[-10.0, -4], [10, -4], [10, 4], [-10, 4]])
    points = crops.turn(corners[None], torch.tensor([angle])) + torch.tensor([80.0, 60])
    window = attention_mesh.window_around(points, points[:, 0], points[:, 1])
    torch.testing.assert_close(window.centre, torch.tensor([[80.0, 60]]))
    torch.testing.assert_close(window.size, torch.tensor([[30.0, 12]]))
    torch.testing.assert_close(window.angle, torch.tensor([angle]))
    ends = attention_mesh.from_window(torch.tensor([[[0.5, 0.5], [1, 0.5]]]), window)
    wanted = torch.tensor([[[80.0, 60], [80 + 15 * math.cos(angle), 60 + 15 * math.sin(angle)]]])
    torch.testing.assert_close(ends, wanted)


@pytest.mark.parametrize(("x", "y", "angle"), [(96.0, 90.0, 0.0), (70.0, 120.0, 0.7), (10.0, 180.0, -2.0)])
def test_looking_into_a_window_reads_the_map_between_its_cells(x: float, y: float, angle: float) -> None:
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    features = torch.stack((columns, rows, torch.ones(48, 48)))[None]
    size = (60.0, 24.0)
    window = TurnedWindow(torch.tensor([[x, y]]), torch.tensor([size]), torch.tensor([angle]))
    seen = attention_mesh.sample_windows(features, window)[0]
    assert seen.shape == (3, 16, 16)
    for row in range(16):
        for column in range(16):
            u, v = ((column + 0.5) / 16 - 0.5) * size[0], ((row + 0.5) / 16 - 0.5) * size[1]
            across = (x + math.cos(angle) * u - math.sin(angle) * v) / 4 - 0.5
            down = (y + math.sin(angle) * u + math.cos(angle) * v) / 4 - 0.5
            inside = 0 <= across <= 47 and 0 <= down <= 47
            wanted = torch.tensor([across, down, 1.0]) if inside else torch.zeros(3)
            torch.testing.assert_close(seen[:, row, column], wanted, atol=1e-3, rtol=0)


@pytest.mark.parametrize(("outside", "stride"), [(8, 1), (8, 2), (12, 2)])
def test_blocks_side_by_side_are_the_blocks_one_by_one(outside: int, stride: int) -> None:
    torch.manual_seed(0)
    singles = [BlazeBlock(8, outside, stride, prelu=True).requires_grad_(False) for _ in range(3)]
    together = GroupedBlazeBlock(3, 8, outside, stride).requires_grad_(False)
    states = [single.state_dict() for single in singles]
    together.load_state_dict({key: torch.cat([state[key] for state in states]) for key in states[0]})
    seen = noise(2, 24, 6, 6)
    wanted = torch.cat([single(part.clone()) for single, part in zip(singles, seen.chunk(3, 1), strict=True)], 1)
    torch.testing.assert_close(together(seen), wanted)
