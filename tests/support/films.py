"""Films that are made of photographs: people who move, turn, cross and are covered, with their true landmarks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from face_part_fusion.detectors.boxes import window_of
from torch import Tensor
from torch.nn import functional

# x and y of the face's middle as shares of the frame, its size as a share of the frame's height, its roll in radians.
Path = Callable[[float], tuple[float, float, float, float]]


@dataclass(frozen=True, eq=False)
class Actor:
    """One person of a film.

    `picture`: (H, W, 3), 0..1. `landmarks`: (478, 2) of the face in it. `path`: of the face, over 0..1 of the film.
    `covered`: the frames in which a board hides the face.
    """

    picture: Tensor
    landmarks: Tensor
    path: Path
    covered: range = range(0)


@dataclass(frozen=True, eq=False)
class Frame:
    """`picture`: (H, W, 3), 0..1. `landmarks`: for each actor (478, 2), where they truly are."""

    picture: Tensor
    landmarks: list[Tensor]


def film(actors: list[Actor], count: int, size: tuple[int, int], noise: float = 0.01) -> Iterator[Frame]:
    """`count` frames of `size` (H, W), one after another; later actors stand before earlier ones."""
    height, width = size
    generator = torch.Generator().manual_seed(0)
    ground = torch.rand(1, 3, 6, 10, generator=generator) * 0.3 + 0.3
    ground = functional.interpolate(ground, size, mode="bicubic").clamp(0, 1)[0].permute(1, 2, 0)
    for number in range(count):
        picture, landmarks = ground.clone(), []
        for actor in actors:
            landmarks.append(_draw(picture, actor, number, count))
        picture += noise * torch.randn(picture.shape, generator=generator)
        yield Frame(picture.clamp(0, 1), landmarks)


def _draw(picture: Tensor, actor: Actor, number: int, count: int) -> Tensor:
    """Draw one actor into the picture; returns the true landmarks."""
    height, width = picture.shape[:2]
    low, high = actor.landmarks.amin(0), actor.landmarks.amax(0)
    middle, reach = (low + high) / 2, float((high - low).max())
    x, y, share, roll = actor.path(number / count)
    place, scale = torch.tensor([x * width, y * height]), share * height / reach
    turn = scale * torch.tensor([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    box = (*(place - scale * reach).tolist(), *(place + scale * reach).tolist())
    window = window_of(box, (height, width))
    if window is not None:
        x0, y0, x1, y1 = window
        rows, columns = torch.meshgrid(torch.arange(y0, y1) + 0.5, torch.arange(x0, x1) + 0.5, indexing="ij")
        source = (torch.stack([columns, rows], -1) - place) @ torch.linalg.inv(turn).T + middle
        _lay(picture[y0:y1, x0:x1], actor, source, middle, reach, scale, number in actor.covered)
    return (actor.landmarks - middle) @ turn.T + place


def _lay(
    local: Tensor, actor: Actor, source: Tensor, middle: Tensor, reach: float, scale: float, covered: bool
) -> None:
    """Draw the head into `local` (h, w, 3). `source`: (h, w, 2), the point of the photograph at each pixel."""
    tall, wide = actor.picture.shape[:2]
    grid = source / torch.tensor([wide, tall]) * 2 - 1
    small = functional.interpolate(
        actor.picture.permute(2, 0, 1)[None], scale_factor=min(1.0, 1.5 * scale), mode="bilinear", antialias=True
    )
    pixels = functional.grid_sample(small, grid[None], "bilinear", "border", align_corners=False)[0].permute(1, 2, 0)
    # The head with its hair, as an oval with a soft edge.
    away = ((source - middle - torch.tensor([0.0, -0.12 * reach])) / (reach * torch.tensor([0.62, 0.8]))).norm(dim=-1)
    alpha = ((1 - away) * 8).clamp(0, 1) * (grid.abs().amax(-1) < 1)
    local.lerp_(pixels, alpha[..., None])
    if covered:
        local.lerp_(torch.tensor([0.35, 0.3, 0.25]).expand_as(local), (away < 0.95).float()[..., None])
