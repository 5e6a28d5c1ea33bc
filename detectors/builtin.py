"""The pack's own detector: BlazeFace proposes faces, then two meshes are laid over each of them.

The steps are those of MediaPipe's face pipeline (model cards "Face Detection" and "Face Mesh"), for still pictures of
any size and any number of faces.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from . import crops, proposals, tiles
from .attention_mesh import ATTENTION_POINTS, AttentionMesh
from .blazeface import FULL_SIZE, SHORT_SIZE, FullRange, ShortRange
from .boxes import Box, bounding_box
from .bundled import load_bundled
from .face_mesh import MESH_POINTS, MESH_SIZE, FaceMesh
from .mirror import Net, agreed, both_ways
from .parts import Face
from .pose import angles_of
from .progress import Progress, counter, share
from .proposals import Proposals

DEFAULT_THRESHOLD = 0.5
# Crops that go through a mesh together; pictures that are searched together, by number and by pixels.
BATCH, BATCH_PIXELS = 16, 1 << 24
# A picture whose best face scores less is searched upside down too; faces from that search must score this much.
DOUBT = 0.75
# A mesh in a known box that is less certain than this sees no face.
NO_FACE = 0.02
# Mesh points: the outer corners of the eyes at the picture's left and right.
LEFT_EYE, RIGHT_EYE = 33, 263


class FaceNets(nn.Module):
    """The four nets in one module, so that a host can move them together."""

    def __init__(self) -> None:
        super().__init__()
        self.short = load_bundled(ShortRange(), "face_detection_short_range.safetensors")
        self.full = load_bundled(FullRange(), "face_detection_full_range.safetensors")
        self.mesh = load_bundled(FaceMesh(), "face_mesh_468.safetensors")
        self.attention = load_bundled(AttentionMesh(), "face_mesh_attention.safetensors")


class BuiltinDetector:
    """Finds faces and their 478 points. `net` holds all weights; it computes on the device of its parameters."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        """Raises FileNotFoundError or ValueError when the pack's own weight files are missing or damaged."""
        self.net = FaceNets().to(device)

    def __call__(
        self,
        pictures: Tensor,
        threshold: float = DEFAULT_THRESHOLD,
        smallest: int = 32,
        progress: Progress | None = None,
    ) -> tuple[tuple[Face, ...], ...]:
        """The faces of each picture, best first.

        `pictures`: (B, H, W, 3) float32 0..1.
        `threshold`: 0..1, the least score, which is the detector's times each mesh's certainty that it sees a face.
        `smallest`: pixels of the smallest face to search for; larger is faster.
        `progress`: called during the search, within a large picture too.

        Landmarks lie on the CPU; regions are left empty. Raises ValueError for another shape or type and for
        `smallest` < 1.
        """
        _check(pictures)
        together = min(max(BATCH_PIXELS // (pictures.shape[1] * pictures.shape[2]), 1), BATCH)
        faces: list[tuple[Face, ...]] = []
        with torch.no_grad():
            for batch in pictures.split(together):
                faces += self._faces(batch, threshold, smallest, share(progress, len(faces), len(batch), len(pictures)))
        return tuple(faces)

    def within(self, pictures: Tensor, boxes: Sequence[Sequence[Box]]) -> tuple[tuple[Face, ...], ...]:
        """The face in each box, in the order of the boxes.

        `pictures`: (B, H, W, 3) float32 0..1. `boxes`: for each picture, boxes of faces x0, y0, x1, y1 in pixels.

        Every box gives a face; its score is the mesh's certainty that it sees one. Where that is next to nothing, the
        face has the box and neither landmarks nor a scheme. Raises ValueError for another shape, type or count.
        """
        _check(pictures)
        if len(boxes) != len(pictures):
            raise ValueError(f"boxes are given for {len(boxes)} pictures, but there are {len(pictures)} pictures")
        device = next(self.net.parameters()).device
        with torch.no_grad():
            return tuple(
                self._in_boxes(picture.to(device).permute(2, 0, 1), own) if own else ()
                for picture, own in zip(pictures, boxes, strict=True)
            )

    def _in_boxes(self, picture: Tensor, boxes: Sequence[Box]) -> tuple[Face, ...]:
        """One face of the picture (3, H, W) for each box: the attention mesh over the surest plain mesh in the box."""
        candidates = [proposals.in_box(self.net.short, picture, box) for box in boxes]
        counts = [len(candidate.scores) for candidate in candidates]
        _, points, scores = _flattened(candidates)
        whole, owners = tiles.pyramid(picture[None], ()), torch.zeros(len(scores), dtype=torch.long)
        plain, presence = self._plain_meshes(whole, owners, points)
        pairs = zip(plain.split(counts), (scores * presence).split(counts), strict=True)
        best = torch.stack([meshes[int(certainty.argmax())] for meshes, certainty in pairs])
        meshes, presence = self._attention_meshes(whole, owners[: len(boxes)], best)
        results = zip(boxes, agreed(meshes, best), presence.tolist(), strict=True)
        return tuple(_face(mesh, score) if score >= NO_FACE else Face(box, score) for box, mesh, score in results)

    def _faces(
        self, pictures: Tensor, threshold: float, smallest: int, progress: Progress | None
    ) -> list[tuple[Face, ...]]:
        pictures = pictures.to(next(self.net.parameters()).device).permute(0, 3, 1, 2)
        height, width = pictures.shape[-2:]
        fine = tiles.fine_levels(height, width, FULL_SIZE, smallest)
        near, far = tiles.whole(height, width, SHORT_SIZE), tiles.whole(height, width, FULL_SIZE)
        levels = (*reversed(fine), far)
        scaled = tiles.pyramid(pictures, [(level.height, level.width) for level in (*levels, near)])
        searched = counter(len(pictures) * sum(len(level.corners) for level in (*levels, near)), progress)
        nets = self.net.short, self.net.full
        faces = self._confirm(scaled, proposals.search(*nets, scaled, levels, near, threshold, searched), threshold)
        # The nets know faces turned by up to a quarter; upside down, a mouth can even pass for eyes.
        doubtful = [i for i, (_, scores) in enumerate(faces) if not len(scores) or scores.max() < DOUBT]
        if doubtful:
            turned = {size: level[doubtful].flip(2, 3) for size, level in scaled.items()}
            sure = max(threshold, DOUBT)
            again = self._confirm(turned, proposals.search(*nets, turned, (far,), near, sure), sure)
            for i, (meshes, scores) in zip(doubtful, again, strict=True):
                meshes = meshes * meshes.new_tensor((-1, -1, 1)) + meshes.new_tensor((width, height, 0))
                faces[i] = torch.cat((faces[i][0], meshes)), torch.cat((faces[i][1], scores))
        return [_distinct_faces(meshes, scores) for meshes, scores in faces]

    def _confirm(
        self, scaled: tiles.Pyramid, candidates: Sequence[Proposals], threshold: float
    ) -> list[tuple[Tensor, Tensor]]:
        """Lay the plain mesh over every proposal, then the attention mesh over the square of the plain one.

        The second crop lowers the error of the points. Returns meshes (N, 478, 3) and scores (N,) for each picture.
        """
        owners, points, scores = _flattened(candidates)
        plain, presence = self._plain_meshes(scaled, owners, points)
        scores = scores * presence
        keep = scores >= threshold
        owners, scores, plain = owners[keep], scores[keep], plain[keep]
        meshes, presence = self._attention_meshes(scaled, owners, plain)
        scores = scores * presence
        keep = scores >= threshold
        owners, scores, meshes = owners[keep], scores[keep], agreed(meshes[keep], plain[keep])
        return [(meshes[owners == i], scores[owners == i]) for i in range(len(candidates))]

    def _plain_meshes(self, scaled: tiles.Pyramid, owners: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        squares = crops.squares_of_boxes(points[:, :2], points[:, 2:4])
        return _meshes(self.net.mesh, MESH_POINTS, scaled, owners, squares)

    def _attention_meshes(self, scaled: tiles.Pyramid, owners: Tensor, plain: Tensor) -> tuple[Tensor, Tensor]:
        squares = crops.squares_of_points(plain[..., :2], LEFT_EYE, RIGHT_EYE)
        return _meshes(self.net.attention, ATTENTION_POINTS, scaled, owners, squares)


def _flattened(candidates: Sequence[Proposals]) -> tuple[Tensor, Tensor, Tensor]:
    """The proposals of several pictures in a row: number of the picture (N,), points (N, 8, 2) and scores (N,)."""
    owners = torch.tensor([i for i, own in enumerate(candidates) for _ in own.scores], dtype=torch.long)
    return owners, torch.cat([own.points for own in candidates]), torch.cat([own.scores for own in candidates])


def _meshes(net: Net, count: int, scaled: tiles.Pyramid, owners: Tensor, squares: Tensor) -> tuple[Tensor, Tensor]:
    """The meshes of faces, in batches.

    `owners`: (N,), the number of each face's picture. `squares`: (N, 4), as in `crops`.
    Returns points (N, count, 3) in pixels of their picture, z in the same scale, and presence (N,) 0..1; on the CPU.
    """
    points, presence = [torch.zeros(0, count, 3)], [torch.zeros(0)]
    for start in range(0, len(squares), BATCH):
        batch = squares[start : start + BATCH]
        pairs = zip(owners[start : start + BATCH].tolist(), batch, strict=True)
        faces = torch.stack([tiles.crop(scaled, i, square, MESH_SIZE) for i, square in pairs])
        flat, logits = (t.cpu() for t in both_ways(net, faces.contiguous(memory_format=torch.channels_last)))
        depth = flat[..., 2:] * batch[:, None, 2:3] / MESH_SIZE
        points.append(torch.cat((crops.to_picture(flat[..., :2], batch, MESH_SIZE), depth), -1))
        presence.append(torch.sigmoid(logits))
    return torch.cat(points), torch.cat(presence)


def _check(pictures: Tensor) -> None:
    if pictures.ndim != 4 or pictures.shape[-1] != 3 or pictures.dtype != torch.float32 or 0 in pictures.shape:
        raise ValueError(f"pictures must be (B, H, W, 3) float32, came {tuple(pictures.shape)} {pictures.dtype}")


def _distinct_faces(meshes: Tensor, scores: Tensor) -> tuple[Face, ...]:
    """Meshes (N, 478, 3) and scores (N,) of one picture -> its faces, each once, best first."""
    boxes = torch.stack((meshes[..., :2].amin(1), meshes[..., :2].amax(1)), 1)
    return tuple(_face(meshes[i], float(scores[i])) for i in (group[0] for group in tiles.groups(boxes, scores)))


def _face(mesh: Tensor, score: float) -> Face:
    points = mesh[:, :2].clone()
    return Face(bounding_box(points), score, points, "mediapipe478", angles_of(mesh), depth=mesh[:, 2].clone())
