"""The pack's own detector: BlazeFace over windows of the picture, then two meshes on every face it proposes.

The steps are those of MediaPipe's face pipeline (model cards "Face Detection" and "Face Mesh"), for still pictures of
any size and any number of faces.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from . import crops, tiles
from .attention_mesh import ATTENTION_POINTS, AttentionMesh
from .blazeface import (
    FULL_SIZE,
    FULL_STRIDES,
    SHORT_SIZE,
    SHORT_STRIDES,
    FullRange,
    ShortRange,
    Strides,
    anchors,
    decode,
)
from .bundled import load_bundled
from .face_mesh import MESH_POINTS, MESH_SIZE, FaceMesh
from .mirror import agreed, both_ways
from .parts import Box, Face
from .pose import angles_of
from .progress import Progress

DEFAULT_THRESHOLD = 0.5
# Crops that go through a net together, pixels of windows that do, and pixels of pictures that are searched together.
BATCH = 16
SEARCHED = BATCH * FULL_SIZE**2
PIXELS = 1 << 24
# Proposals that score less are never looked at, whatever the threshold, nor more of them in one picture.
LEAST_PROPOSAL = 0.05
MOST_PROPOSALS = 1000
# A picture whose best face scores less is tried upside down as well; what is found so must score that much.
DOUBT = 0.75
# A box that is given counts as a proposal of this score; below that presence no face is seen in it at all.
GIVEN_SCORE, NO_FACE = 0.5, 0.02
LEFT_EYE, RIGHT_EYE = 33, 263


class FaceNets(nn.Module):
    """The four nets in one module, so that a host can move them together."""

    def __init__(self) -> None:
        super().__init__()
        self.short = load_bundled(ShortRange(), "face_detection_short_range.safetensors")
        self.full = load_bundled(FullRange(), "face_detection_full_range.safetensors")
        self.mesh = load_bundled(FaceMesh(), "face_mesh_468.safetensors")
        self.attention = load_bundled(AttentionMesh(), "face_mesh_attention.safetensors")


class Found(NamedTuple):
    """Proposals in one picture: detector points (N, 8, 2) in pixels, box corners first, and scores (N,)."""

    points: Tensor
    scores: Tensor


class Looks(NamedTuple):
    """One net with the strides of its anchors and the levels that it looks at."""

    net: ShortRange | FullRange
    strides: Strides
    levels: tuple[tiles.Level, ...]


class BuiltinDetector:
    """Finds faces and their 478 points. `net` holds all weights; the computation happens where its parameters are."""

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
        """Pictures (B, H, W, 3) float32 0..1 -> the faces of each picture, best first.

        `threshold`: 0..1, least score; the score is the detector's times both meshes' own certainty that they see
        a face. `smallest`: pixels of the smallest face to search for; larger is faster. `progress` is told how
        much of the search is done, within a large picture too. Landmarks lie on the CPU; regions are left empty.
        Raises ValueError for another shape or type and for `smallest` < 1.
        """
        _check(pictures)
        together = min(max(PIXELS // (pictures.shape[1] * pictures.shape[2]), 1), BATCH)
        faces: list[tuple[Face, ...]] = []
        with torch.no_grad():
            for chunk in pictures.split(together):
                told = None if progress is None else _part(progress, len(faces), len(chunk), len(pictures))
                faces += self._faces(chunk, threshold, smallest, told)
        return tuple(faces)

    def within(self, pictures: Tensor, boxes: Sequence[Sequence[Box]]) -> tuple[tuple[Face, ...], ...]:
        """Pictures (B, H, W, 3) float32 0..1 and, for each, boxes of faces x0, y0, x1, y1 in pixels -> the face in
        each box, in the order of the boxes.

        Every box gives a face; its score is the mesh's certainty that it sees one. Where that is next to nothing the
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
        """One face of the picture (3, H, W) for each box: from the surest plain mesh in it, the attention mesh."""
        proposed = [self._proposed(picture, box) for box in boxes]
        owners = torch.zeros(sum(len(f.scores) for f in proposed), dtype=torch.long)
        points, scores = torch.cat([f.points for f in proposed]), torch.cat([f.scores for f in proposed])
        squares = crops.squares_of_boxes(points[:, :2], points[:, 2:4])
        whole = tiles.pyramid(picture[None], ())
        meshes, presence = _meshes(self.net.mesh, MESH_POINTS, whole, owners, squares)
        sure = (scores * presence).split([len(f.scores) for f in proposed])
        pairs = zip(meshes.split([len(s) for s in sure]), sure, strict=True)
        best = torch.stack([own[int(s.argmax())] for own, s in pairs])
        squares = crops.squares_of_points(best[..., :2], LEFT_EYE, RIGHT_EYE)
        meshes, presence = _meshes(self.net.attention, ATTENTION_POINTS, whole, owners[: len(boxes)], squares)
        meshes = agreed(meshes, best)
        found = zip(boxes, meshes, presence.tolist(), strict=True)
        return tuple(_face(mesh, score) if score >= NO_FACE else Face(box, score) for box, mesh, score in found)

    def _proposed(self, picture: Tensor, box: Box) -> Found:
        """The box itself, and what the detector for near faces sees in it from all four sides, if anything."""
        low, high = torch.tensor(box, dtype=torch.float32).view(2, 2)
        middle, side = (low + high) / 2, crops.MARGIN * float((high - low).max().clamp(min=1))
        squares = torch.tensor([[*middle.tolist(), side, quarter * math.pi / 2] for quarter in range(4)])
        seen = torch.stack([crops.crop(picture, square, SHORT_SIZE) for square in squares])
        raw, logits = (t.cpu() for t in self.net.short(seen * 2 - 1))
        best, all_sides = logits.argmax(1), torch.arange(4)
        points = decode(raw[all_sides, best], anchors(SHORT_SIZE, SHORT_SIZE, SHORT_STRIDES)[best])
        points = crops.to_picture(points, squares, SHORT_SIZE)
        points[:, :2] = torch.stack((points[:, :2].amin(1), points[:, :2].amax(1)), 1)
        inside = ((points[:, :2].mean(1) - middle).abs() < (high - low) / 2).all(1)
        itself = torch.stack((low, high, low, torch.stack((high[0], low[1])), *[middle] * 4))
        scores = torch.sigmoid(logits[all_sides, best])[inside]
        return Found(torch.cat((itself[None], points[inside])), torch.cat((scores.new_tensor([GIVEN_SCORE]), scores)))

    def _faces(
        self, pictures: Tensor, threshold: float, smallest: int, told: Progress | None
    ) -> list[tuple[Face, ...]]:
        pictures = pictures.to(next(self.net.parameters()).device).permute(0, 3, 1, 2)
        height, width = pictures.shape[-2:]
        fine = tiles.fine_levels(height, width, FULL_SIZE, smallest)
        near, far = tiles.whole(height, width, SHORT_SIZE), tiles.whole(height, width, FULL_SIZE)
        levels = (*reversed(fine), far)
        scaled = tiles.pyramid(pictures, [(level.height, level.width) for level in (*levels, near)])
        searched = _counter(told, len(pictures) * sum(len(level.corners) for level in (*levels, near)))
        found = self._confirm(scaled, self._search(scaled, levels, near, threshold, searched), threshold)
        # The nets know faces turned by up to a quarter; upside down, a mouth can even pass for eyes.
        doubtful = [i for i, (_, scores) in enumerate(found) if not len(scores) or scores.max() < DOUBT]
        if doubtful:
            turned = {size: level[doubtful].flip(2, 3) for size, level in scaled.items()}
            sure = max(threshold, DOUBT)
            again = self._confirm(turned, self._search(turned, (far,), near, sure), sure)
            for i, (meshes, scores) in zip(doubtful, again, strict=True):
                meshes = meshes * meshes.new_tensor((-1, -1, 1)) + meshes.new_tensor((width, height, 0))
                found[i] = torch.cat((found[i][0], meshes)), torch.cat((found[i][1], scores))
        return [_build(meshes, scores) for meshes, scores in found]

    def _search(
        self, scaled: tiles.Pyramid, levels: tuple[tiles.Level, ...], near: tiles.Level, least: float,
        searched: Callable[[int], None] | None = None,
    ) -> list[Found]:  # fmt: skip
        """What the full-range net proposes at `levels` and the short-range net at `near`, scored at least `least`."""
        (height, width), pictures = next(iter(scaled.items()))
        found: list[list[Found]] = [[] for _ in range(len(pictures))]
        for look in (
            Looks(self.net.full, FULL_STRIDES, levels),
            Looks(self.net.short, SHORT_STRIDES, (near,)),
        ):
            for picture, proposals in _look(look, scaled, (height, width), least, searched):
                found[picture].append(proposals)
        return [_merged(f) for f in found]

    def _confirm(self, scaled: tiles.Pyramid, found: Sequence[Found], threshold: float) -> list[tuple[Tensor, Tensor]]:
        """Lay the plain mesh over every proposal, and look closer in the square of the first, which lowers the error of
        the points. Gives meshes (N, 478, 3) and scores (N,) for each picture."""
        owners = torch.tensor([i for i, f in enumerate(found) for _ in f.scores], dtype=torch.long)
        points, scores = torch.cat([f.points for f in found]), torch.cat([f.scores for f in found])
        squares = crops.squares_of_boxes(points[:, :2], points[:, 2:4])
        plain, presence = _meshes(self.net.mesh, MESH_POINTS, scaled, owners, squares)
        scores = scores * presence
        keep = scores >= threshold
        owners, scores, plain = owners[keep], scores[keep], plain[keep]
        squares = crops.squares_of_points(plain[..., :2], LEFT_EYE, RIGHT_EYE)
        meshes, presence = _meshes(self.net.attention, ATTENTION_POINTS, scaled, owners, squares)
        scores = scores * presence
        keep = scores >= threshold
        owners, scores, meshes = owners[keep], scores[keep], agreed(meshes[keep], plain[keep])
        return [(meshes[owners == i], scores[owners == i]) for i in range(len(found))]


def _meshes(
    net: Callable[[Tensor], tuple[Tensor, Tensor]], count: int, scaled: tiles.Pyramid, owners: Tensor, squares: Tensor
) -> tuple[Tensor, Tensor]:
    """Meshes (N, count, 3) in pixels of their picture, z in the same scale, and their presence 0..1 (N,); on CPU."""
    points, presence = [torch.zeros(0, count, 3)], [torch.zeros(0)]
    for start in range(0, len(squares), BATCH):
        some = squares[start : start + BATCH]
        pairs = zip(owners[start : start + BATCH].tolist(), some, strict=True)
        seen = torch.stack([tiles.crop(scaled, i, square, MESH_SIZE) for i, square in pairs])
        flat, logits = (t.cpu() for t in both_ways(net, seen.contiguous(memory_format=torch.channels_last)))
        depth = flat[..., 2:] * some[:, None, 2:3] / MESH_SIZE
        points.append(torch.cat((crops.to_picture(flat[..., :2], some, MESH_SIZE), depth), -1))
        presence.append(torch.sigmoid(logits))
    return torch.cat(points), torch.cat(presence)


def _check(pictures: Tensor) -> None:
    if pictures.ndim != 4 or pictures.shape[-1] != 3 or pictures.dtype != torch.float32 or 0 in pictures.shape:
        raise ValueError(f"pictures must be (B, H, W, 3) float32, came {tuple(pictures.shape)} {pictures.dtype}")


def _part(progress: Progress, first: int, count: int, pictures: int) -> Progress:
    """The progress of `count` of the `pictures`, before which `first` were done."""
    return lambda done, total: progress(first * total + done * count, pictures * total)


def _counter(progress: Progress | None, windows: int) -> Callable[[int], None]:
    """Called with how many more of the `windows` were searched, it tells `progress`."""
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        if progress is not None:
            progress(done, windows)

    return count


def _look(
    look: Looks, scaled: tiles.Pyramid, size: tuple[int, int], least: float, searched: Callable[[int], None] | None
) -> Iterator[tuple[int, Found]]:
    """Run one net over its windows in batches; gives (number of the picture, what was found there). `size`: H, W."""
    likely = min(max(least, LEAST_PROPOSAL), 1 - 1e-6)
    for level in look.levels:
        pictures, (tall, wide) = scaled[level.height, level.width], level.window
        centres, together = anchors(tall, wide, look.strides), max(SEARCHED // (tall * wide), 1)
        jobs = [(i, corner) for i in range(len(pictures)) for corner in level.corners]
        for start in range(0, len(jobs), together):
            some = jobs[start : start + together]
            windows = pictures.new_empty((len(some), 3, tall, wide)).to(memory_format=torch.channels_last)
            for window, (i, corner) in zip(windows, some, strict=True):
                tiles.cut(pictures[i], corner, window)
            proposed = look.net.proposals(windows, math.log(likely / (1 - likely)))
            raw, logits, number, anchor = (t.cpu() for t in proposed)
            points, scores = decode(raw, centres[anchor]), torch.sigmoid(logits)
            for n in number.unique().tolist():
                own, (i, corner) = number == n, some[n]
                yield i, Found(tiles.to_picture(points[own], level, corner, *size), scores[own])
            if searched is not None:
                searched(len(some))


def _merged(found: Sequence[Found]) -> Found:
    """One proposal for each face, at most MOST_PROPOSALS of them to begin with."""
    points = torch.cat([torch.zeros(0, 8, 2), *(f.points for f in found)])
    scores = torch.cat([torch.zeros(0), *(f.scores for f in found)])
    scores, best = scores.topk(min(len(scores), MOST_PROPOSALS))
    return Found(*tiles.merge(points[best], scores))


def _build(meshes: Tensor, scores: Tensor) -> tuple[Face, ...]:
    """Meshes (N, 478, 3) and scores (N,) of one picture -> its faces, each once, best first."""
    boxes = torch.stack((meshes[..., :2].amin(1), meshes[..., :2].amax(1)), 1)
    return tuple(_face(meshes[i], float(scores[i])) for i in (group[0] for group in tiles.groups(boxes, scores)))


def _face(mesh: Tensor, score: float) -> Face:
    points = mesh[:, :2].clone()
    (x0, y0), (x1, y1) = points.amin(0).tolist(), points.amax(0).tolist()
    return Face((x0, y0, x1, y1), score, points, "mediapipe478", angles_of(mesh))
