"""The pack's own detector: BlazeFace proposes faces, then two meshes are laid over each of them.

The steps are those of MediaPipe's face pipeline (model cards "Face Detection" and "Face Mesh"), for still pictures of
any size and any number of faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from . import crops, proposals, tiles
from .attention_mesh import AttentionMesh
from .blazeface import FULL_SIZE, SHORT_SIZE, FullRange, ShortRange
from .boxes import Box, bounding_box
from .bundled import load_bundled
from .face_mesh import MESH_POINTS, FaceMesh
from .meshes import BATCH, attention_meshes, disagreement, plain_meshes, plain_meshes_near, squares_around
from .mirror import agreed
from .parts import Face
from .pose import angles_of
from .progress import Progress, counter, share
from .proposals import Proposals

# Chosen by the hits and false alarms in docs/detection-threshold.md.
DEFAULT_THRESHOLD = 0.3
# Pixels of the pictures that are searched together, BATCH at most.
BATCH_PIXELS = 1 << 24
# A picture without a face that scores this much is searched turned too. A face in another turn must score as much.
DOUBT = 0.75
# The most disagreement, in face sizes, of the meshes of a face in another turn. Over turned portraits it is .064; over
# upright faces with a medical mask, whose nose and mouth are hidden, upside-down meshes score up to .86, but disagree
# more, except for two of 92.
TURNED_AGREE = 0.065
# The least score of a face in its close crop, turned, to be searched for its surest turn, which takes as long as all of
# a portrait. Of the 71 faces upside down 70 score as much, of the 97 upright ones one that is above MAYBE_TURNED. The
# surest turn was the wrong one for none of the 97 and for none of 64 with a medical mask.
TURNED_CLOSE = 0.75
# The least score of a proposal that is not one of the upright faces to be searched turned: the upright nets gave .42 or
# more to each of 44 turned faces beside upright ones.
PROPOSED = 0.35
# Disagreement of a face's meshes, in face sizes, above which it may be upside down. Upright meshes over 71 faces upside
# down disagree by .039 at least; 17 of 97 upright faces are above.
MAYBE_TURNED = 0.03
# Disagreement above which the meshes do not show one and the same face: then a face that scores less than LIKELY is
# dropped, and no face makes the search for turned ones unnecessary. Small and masked faces reach .117.
NOT_ONE_FACE = 0.12
LIKELY = 0.5
# The share of the short-range net's window that a picture takes in the search for turned faces: in a border, the net
# sees a face that fills its picture.
BORDERED = 0.65
# A known box that scores less holds no face: boxes beside faces score .01 at most, boxes around faces .66 or more.
NO_FACE = 0.1
# Disagreement above which a mesh in a known box is laid once more, from its own box: over a forehead it then moves to
# the face below. Meshes in boxes around faces disagree by .061 at most, over foreheads by .05 or more.
MAYBE_BESIDE = 0.045


class MeshedFaces(NamedTuple):
    """Faces of one or more pictures: meshes (N, 478, 3), scores (N,) and the meshes' disagreement (N,)."""

    meshes: Tensor
    scores: Tensor
    disagreement: Tensor

    def where(self, keep: Tensor) -> MeshedFaces:
        """Those that `keep`, (N,) bool, selects."""
        return MeshedFaces(*(values[keep] for values in self))

    def turned(self) -> Tensor:
        """(N,) bool: those that are sure enough to be in another turn than the upright one."""
        return (self.scores >= DOUBT) & (self.disagreement <= TURNED_AGREE)

    @property
    def has_sure_face(self) -> bool:
        """Whether there is a face that makes another search unnecessary."""
        return bool(((self.scores >= DOUBT) & (self.disagreement <= NOT_ONE_FACE)).any())

    def boxes(self) -> Tensor:
        """(N, 2, 2): the boxes' top left and bottom right corners."""
        return torch.stack((self.meshes[..., :2].amin(1), self.meshes[..., :2].amax(1)), 1)

    def angles(self) -> Tensor:
        """(N,) radians: how far the line of the eyes is turned clockwise."""
        return squares_around(self.meshes)[:, 3]

    def joined(self, more: MeshedFaces) -> MeshedFaces:
        return MeshedFaces(*map(torch.cat, zip(self, more, strict=True)))


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

        Every box gives a face; its score is the mesh's certainty that it sees one. Where no face is, it has the box,
        neither landmarks nor a scheme, and a score below NO_FACE. Raises ValueError for another shape, type or count.
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

    def follow(self, picture: Tensor, faces: Sequence[Face]) -> tuple[Face | None, ...]:
        """The same faces in the next frame of a film, each searched only where it was, without the detecting nets.

        `picture`: (H, W, 3) float32 0..1. `faces`: of this detector, where they are expected. The first one is found as
        in a search, the others by the plain mesh alone, in half the time.

        None for a face that is not there. Its score is the meshes' certainty that they see a face. Raises ValueError
        for another shape or type.
        """
        _check(picture[None])
        if not faces:
            return ()
        with torch.no_grad():
            whole = tiles.pyramid(picture[None].to(next(self.net.parameters()).device).permute(0, 3, 1, 2), ())
            owners = torch.zeros(len(faces), dtype=torch.long)
            expected = torch.stack([face.landmarks[:MESH_POINTS] for face in faces])
            plain = plain_meshes_near(self.net.mesh, whole, owners, expected)
            attention = attention_meshes(self.net.attention, whole, owners[:1], plain.points[:1])
        first = plain.where(owners[:1])
        is_one_face = float(disagreement(attention, first)) <= NOT_ONE_FACE
        scores = [float(first.presence * attention.presence) if is_one_face else 0.0, *plain.presence[1:].tolist()]
        meshes = [agreed(attention.points, first.points)[0], *plain.points[1:]]
        return tuple(
            _face(mesh, score) if score >= LIKELY else None for mesh, score in zip(meshes, scores, strict=True)
        )

    def _in_boxes(self, picture: Tensor, boxes: Sequence[Box]) -> tuple[Face, ...]:
        """One face of the picture (3, H, W) for each box."""
        faces, presence = self._surest(picture, boxes)
        doubtful = ((faces.disagreement > MAYBE_BESIDE) & (faces.scores >= NO_FACE)).nonzero()[:, 0]
        if len(doubtful):
            again, presence[doubtful] = self._surest(picture, [bounding_box(m[:, :2]) for m in faces.meshes[doubtful]])
            for values, new in zip(faces, again, strict=True):
                values[doubtful] = new
        corners = torch.tensor(boxes).unflatten(1, (2, 2))
        middles = faces.boxes().mean(1)
        inside = ((middles >= corners[:, 0]) & (middles <= corners[:, 1])).all(1)
        is_face = (inside & (faces.scores >= NO_FACE)).tolist()
        return tuple(
            _face(mesh, score) if good else Face(box, 0.0)
            for box, mesh, score, good in zip(boxes, faces.meshes, presence.tolist(), is_face, strict=True)
        )

    def _surest(self, picture: Tensor, boxes: Sequence[Box]) -> tuple[MeshedFaces, Tensor]:
        """In each box of the picture (3, H, W), the face in its surest turn, and the attention mesh's presence (N,)."""
        candidates = [proposals.in_box(self.net.short, picture, box) for box in boxes]
        counts = [len(candidate.scores) for candidate in candidates]
        _, points, scores = _flattened(candidates)
        whole, owners = tiles.pyramid(picture[None], ()), torch.zeros(len(scores), dtype=torch.long)
        plain = plain_meshes(self.net.mesh, whole, owners, points)
        scores = scores * plain.presence
        best = torch.tensor([int(own.argmax()) for own in scores.split(counts)])
        best += torch.tensor([0, *counts[:-1]]).cumsum(0)
        plain = plain.where(best)
        attention = attention_meshes(self.net.attention, whole, owners[: len(boxes)], plain.points)
        scores = scores[best] * attention.presence
        meshes = agreed(attention.points, plain.points)
        return MeshedFaces(meshes, scores, disagreement(attention, plain)), attention.presence

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
        candidates = proposals.search(*nets, scaled, levels, near, min(threshold, PROPOSED), searched)
        faces = self._confirm(scaled, candidates, threshold)
        unsure = [i for i, own in enumerate(faces) if not own.has_sure_face]
        if unsure:
            for i, more in zip(unsure, self._turned(pictures[unsure], max(threshold, DOUBT)), strict=True):
                faces[i] = faces[i].joined(more.where(more.turned()))
        for i in set(range(len(faces))) - set(unsure):
            faces[i] = faces[i].joined(self._turned_beside(scaled, i, candidates[i], faces[i], threshold))
        return [_distinct_faces(own) for own in faces]

    def _turned_beside(
        self, scaled: tiles.Pyramid, number: int, candidates: Proposals, faces: MeshedFaces, threshold: float
    ) -> MeshedFaces:
        """Faces of a picture in another turn than its other `faces`: where a proposal is not one of them."""
        boxes = faces.where(faces.disagreement <= NOT_ONE_FACE).boxes()
        middles = candidates.points[:, None, :2].mean(2)
        beside = ~((middles >= boxes[:, 0]) & (middles <= boxes[:, 1])).all(2).any(1)
        points = candidates.points[beside & (candidates.scores >= PROPOSED)]
        if len(points):
            squares = crops.squares_of_boxes(points[:, :2], points[:, 2:4])
            squares[:, 3] = 0
            owners = torch.full((len(points),), number)
            scores = proposals.close_scores(self.net.short, scaled, owners, squares, (1, 2, 3))
            points = points[scores >= TURNED_CLOSE]
        if not len(points):
            return faces.where(torch.zeros(len(faces.scores), dtype=torch.bool))
        likely = [(x0, y0, x1, y1) for x0, y0, x1, y1 in points[:, :2].flatten(1).tolist()]
        turned, _ = self._surest(next(iter(scaled.values()))[number], likely)
        return turned.where(turned.turned() & (turned.scores >= threshold))

    def _turned(self, pictures: Tensor, threshold: float) -> list[MeshedFaces]:
        """Faces on their side, upside down or as large as the picture, of pictures (N, 3, H, W), as in `_confirm`.

        The nets of the plain search know faces turned by up to a quarter, most of them; upside down, a mouth can even
        pass for eyes.
        """
        height, width = pictures.shape[-2:]
        far, bordered = tiles.whole(height, width, FULL_SIZE), tiles.whole(height, width, SHORT_SIZE, BORDERED)
        scaled = tiles.pyramid(pictures, [(level.height, level.width) for level in (far, bordered)])
        candidates = proposals.search_turned(self.net.short, self.net.full, scaled, far, bordered, threshold)
        return self._confirm(scaled, candidates, threshold)

    def _confirm(self, scaled: tiles.Pyramid, candidates: Sequence[Proposals], threshold: float) -> list[MeshedFaces]:
        """The faces of each picture: the plain mesh over every proposal, then the attention mesh over the plain one."""
        owners, points, scores = _flattened(candidates)
        plain = plain_meshes(self.net.mesh, scaled, owners, points)
        scores = scores * plain.presence
        keep = scores >= threshold
        owners, scores, plain = owners[keep], scores[keep], plain.where(keep)
        attention = attention_meshes(self.net.attention, scaled, owners, plain.points)
        scores = scores * attention.presence
        keep = scores >= threshold
        owners, scores, plain, attention = owners[keep], scores[keep], plain.where(keep), attention.where(keep)
        all_faces = MeshedFaces(agreed(attention.points, plain.points), scores, disagreement(attention, plain))
        self._turn_upside_down(scaled, owners, all_faces)
        keep = (all_faces.scores >= LIKELY) | (all_faces.disagreement <= NOT_ONE_FACE)
        return [all_faces.where(keep & (owners == i)) for i in range(len(candidates))]

    def _turn_upside_down(self, scaled: tiles.Pyramid, owners: Tensor, faces: MeshedFaces) -> None:
        """Replace the meshes in `faces` that lie upright over a face upside down, and their scores."""
        numbers = (faces.disagreement > MAYBE_TURNED).nonzero()[:, 0]
        if not len(numbers):
            return
        pictures = next(iter(scaled.values()))
        close = squares_around(faces.meshes[numbers])
        scores = proposals.close_scores(self.net.short, scaled, owners[numbers], close, (2,))
        for i in numbers[scores >= TURNED_CLOSE].tolist():
            face, _ = self._surest(pictures[owners[i]], [bounding_box(faces.meshes[i, :, :2])])
            if face.turned() and torch.cos(face.angles() - faces.angles()[i]) < 0:
                for values, value in zip(faces, face, strict=True):
                    values[i] = value[0]


def _flattened(candidates: Sequence[Proposals]) -> tuple[Tensor, Tensor, Tensor]:
    """The proposals of several pictures in a row: number of the picture (N,), points (N, 8, 2) and scores (N,)."""
    owners = torch.tensor([i for i, own in enumerate(candidates) for _ in own.scores], dtype=torch.long)
    return owners, torch.cat([own.points for own in candidates]), torch.cat([own.scores for own in candidates])


def _check(pictures: Tensor) -> None:
    if pictures.ndim != 4 or pictures.shape[-1] != 3 or pictures.dtype != torch.float32 or 0 in pictures.shape:
        raise ValueError(f"pictures must be (B, H, W, 3) float32, came {tuple(pictures.shape)} {pictures.dtype}")


def _distinct_faces(faces: MeshedFaces) -> tuple[Face, ...]:
    """The faces of one picture, each once, best first."""
    sure = (faces.scores >= LIKELY) & (faces.disagreement <= NOT_ONE_FACE)
    groups = tiles.groups(faces.boxes(), faces.scores, sure)
    return tuple(_face(faces.meshes[i], float(faces.scores[i])) for i in (group[0] for group in groups))


def _face(mesh: Tensor, score: float) -> Face:
    points = mesh[:, :2].clone()
    return Face(bounding_box(points), score, points, f"mediapipe{len(mesh)}", angles_of(mesh), depth=mesh[:, 2].clone())
