"""sRGB and CIELAB (D65): L is lightness 0..100; a (green to red) and b (blue to yellow) are colour, 0 on grey."""

from __future__ import annotations

import torch
from torch import Tensor

# Linear sRGB -> XYZ, each row divided by its sum, so that white is (1, 1, 1) (IEC 61966-2-1).
_XYZ = torch.tensor([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
_TO_XYZ = _XYZ / _XYZ.sum(1, keepdim=True)
_TO_RGB = torch.linalg.inv(_TO_XYZ)
# Below it the curves of CIELAB are straight lines.
_LINEAR = 6 / 29


def to_lab(rgb: Tensor) -> Tensor:
    """(..., 3) sRGB, 0..1 -> (..., 3) L, a, b."""
    xyz = to_light(rgb) @ _TO_XYZ.T
    roots = torch.where(xyz > _LINEAR**3, xyz.clamp_min(1e-8) ** (1 / 3), xyz / (3 * _LINEAR**2) + 4 / 29)
    x, y, z = roots.unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def to_rgb(lab: Tensor) -> Tensor:
    """(..., 3) L, a, b -> (..., 3) sRGB, clipped to 0..1."""
    light, a, b = lab.unbind(-1)
    y = (light + 16) / 116
    roots = torch.stack([y + a / 500, y, y - b / 200], -1)
    xyz = torch.where(roots > _LINEAR, roots**3, 3 * _LINEAR**2 * (roots - 4 / 29))
    return from_light((xyz @ _TO_RGB.T).clamp(0, 1))


def to_light(rgb: Tensor) -> Tensor:
    """sRGB, 0..1 -> linear light, 0..1."""
    return torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp_min(0) + 0.055) / 1.055) ** 2.4)


def from_light(light: Tensor) -> Tensor:
    """Linear light, 0..1 -> sRGB, 0..1."""
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light.clamp_min(1e-8) ** (1 / 2.4) - 0.055)
