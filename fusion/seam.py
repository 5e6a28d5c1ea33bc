"""Where a part's edge runs: the closed path around it on which both pictures differ least.

The path is found as in Efros and Freeman, Image Quilting for Texture Synthesis and Transfer, 2001, on rays from the
middle of the part instead of rows.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.boxes import Window

# Rays around the part, and places on each ray.
_RAYS, _PLACES = 96, 24
# Places by which the path may change from one ray to the next, and what each of them costs in mean differences.
_STEP, _BEND = 2, 0.15
# Added to the cost of a place beyond the window.
_OUTSIDE = 1e3
# Smoothing of the path along the rays.
_SMOOTH = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def least_seam(cost: Tensor, hull: Tensor, window: Window, inner: float, outer: float) -> Tensor:
    """The closed path (_RAYS, 2) of least cost around a convex outline, in pixels of the picture.

    `cost`: (h, w) >= 0 over `window`, at any resolution.
    `hull`: (N, 2), the corners of the outline, in pixels of the picture.
    `inner`, `outer`: how far beyond the outline the path may run, in pixels.
    """
    middle = (hull.amin(0) + hull.amax(0)) / 2
    angles = torch.arange(_RAYS) * (2 * math.pi / _RAYS)
    rays = torch.stack([torch.cos(angles), torch.sin(angles)], -1)
    radii = _radii(hull - middle, rays)[:, None] + torch.linspace(inner, outer, _PLACES)
    costs = _costs(cost, middle + rays[:, None] * radii[..., None], window)
    # Many small steps, which cost less with numpy than with torch.
    places = torch.from_numpy(_closed_path(costs.numpy()))
    path = radii.gather(1, places[:, None])[:, 0]
    kernel = torch.tensor(_SMOOTH).view(1, 1, -1)
    path = functional.conv1d(functional.pad(path[None, None], (2, 2), mode="circular"), kernel)[0, 0]
    return middle + rays * path[:, None]


def _radii(corners: Tensor, rays: Tensor) -> Tensor:
    """(R,): how far along each ray from the origin a convex outline (N, 2) around the origin lies."""
    start, along = corners, corners.roll(-1, 0) - corners
    across = rays[:, None, 0] * along[:, 1] - rays[:, None, 1] * along[:, 0]
    across = torch.where(across.abs() < 1e-9, 1e-9, across)
    radius = (start[:, 0] * along[:, 1] - start[:, 1] * along[:, 0]) / across
    share = (start[:, 0] * rays[:, None, 1] - start[:, 1] * rays[:, None, 0]) / across
    return torch.where((radius > 0) & (share > -1e-4) & (share < 1 + 1e-4), radius, 0.0).amax(1)


def _costs(cost: Tensor, points: Tensor, window: Window) -> Tensor:
    """(R, P): the cost at points (R, P, 2)."""
    x0, y0, x1, y1 = window
    low, size = torch.tensor([x0, y0]), torch.tensor([x1 - x0, y1 - y0])
    grid = (points - low) / size * 2 - 1
    values = functional.grid_sample(cost[None, None], grid[None], padding_mode="border", align_corners=False)[0, 0]
    return values + _OUTSIDE * (grid.abs().amax(-1) > 1)


def _closed_path(costs: np.ndarray) -> np.ndarray:
    """(R,): the place on each ray of the cheapest path that ends where it begins."""
    half = len(costs) // 2
    # The cheapest open path is settled far from its ends; there the closed one is cut open.
    cut = _path(costs, None)[half]
    return np.roll(_path(np.roll(costs, -half, 0), int(cut)), half)


def _path(costs: np.ndarray, both_ends: int | None) -> np.ndarray:
    """(R,): the cheapest path over the rays in their order, from and back to the place `both_ends` if given."""
    rays, places = costs.shape
    bend = np.abs(np.arange(-_STEP, _STEP + 1)) * (_BEND * np.median(np.minimum(costs, _OUTSIDE)))
    # Row i of `before`: the places from which place i of the next ray can be reached; beyond both ends there are none.
    total = np.full(places + 2 * _STEP, np.inf, costs.dtype)
    own, before = total[_STEP:-_STEP], np.lib.stride_tricks.sliding_window_view(total, 2 * _STEP + 1)
    ends = slice(None) if both_ends is None else slice(both_ends, both_ends + 1)
    own[ends] = costs[0, ends]
    steps = np.empty((rays, places), np.int64)
    for ray in range(1, rays + 1):
        reached = before + bend
        steps[ray - 1] = reached.argmin(1)
        own[:] = reached.min(1) + (costs[ray] if ray < rays else 0)
    place = int(own.argmin()) if both_ends is None else both_ends
    path = np.empty(rays, np.int64)
    for ray in range(rays - 1, -1, -1):
        place += steps[ray, place] - _STEP
        path[ray] = place
    return path
