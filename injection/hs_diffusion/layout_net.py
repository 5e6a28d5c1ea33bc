"""The layout generator: what lies where the body's old head was, by a small U-Net over class maps.

HS-Diffusion (arXiv 2212.06458) trains such a network; its architecture is not published, and this one is ours. So is
the channel that says what is hidden: the paper paints hidden pixels as background. Trained by `training/layout`.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...detectors.bundled import load_bundled
from ...fusion.regions.layout import BACKGROUND, BODY, FACE, HAIR, NECK
from ...fusion.regions.neck import Neck
from ...fusion.similarity import apply_affine

WEIGHTS = "layout_generator.safetensors"
FOLDER = Path(__file__).parent / "weights"
# Side of the network's square input in cells.
SIDE = 96
# Side of the square of the picture that the network sees, in eye distances; wider where more is hidden.
REACH = 6.4
# The classes that are visible in the input, and those that the network chooses from.
VISIBLE = (BACKGROUND, HAIR, FACE, BODY)
CHOICE = (BACKGROUND, NECK, BODY)
# Factor on the size below which maps are filtered before they are sampled.
_SMALLER = 0.6
# Channels at 1/2, 1/4, 1/8 and 1/16 of the input's side.
_WIDTHS = (24, 32, 48, 64)


class LayoutNet(nn.Module):
    """(N, 5, SIDE, SIDE) -> class logits (N, 3, SIDE, SIDE) in the order of CHOICE.

    The input has the shares 0..1 of the classes VISIBLE and that of what is hidden; all are 0 beyond the picture.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(len(VISIBLE) + 1, _WIDTHS[0], 4, 2, 1)
        self.down = nn.ModuleList(_Block(a, b, 2) for a, b in zip(_WIDTHS, _WIDTHS[1:], strict=False))
        self.bottom = _Block(_WIDTHS[-1], _WIDTHS[-1], 1)
        self.up = nn.ModuleList(_Block(a + b, b, 1) for a, b in zip(_WIDTHS[:0:-1], _WIDTHS[-2::-1], strict=True))
        self.classes = nn.Conv2d(_WIDTHS[0], 4 * len(CHOICE), 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.stem(x)]
        for block in self.down:
            maps.append(block(maps[-1]))
        y = self.bottom(maps.pop())
        for block in self.up:
            wide = functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
            y = block(torch.cat([wide, maps.pop()], 1))
        return functional.pixel_shuffle(self.classes(y), 2)


class _Block(nn.Module):
    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(into, out, 3, stride, 1)
        self.norm = nn.GroupNorm(8, out)
        self.second = nn.Conv2d(out, out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.silu(self.norm(self.first(x)))
        return y + functional.silu(self.second(y))


class LayoutGenerator:
    """The shipped network, on `device`; its weights are checked key by key when they are read."""

    def __init__(self, device: str | torch.device = "cpu", folder: Path = FOLDER) -> None:
        self.net = load_bundled(LayoutNet(), WEIGHTS, folder).to(device)

    @torch.no_grad()
    def __call__(self, known: Tensor, hidden: Tensor, neck: Neck) -> Tensor:
        """The completed layout (5, H, W) float32, 1 in sum; visible classes stay as they are.

        `known`: (5, H, W), the shares of the classes that are visible. `hidden`: (H, W), the rest of each pixel.
        `neck`: the body's, in pixels.
        """
        device = next(self.net.parameters()).device
        matrix = square_of(hidden, neck)
        cells = cut(torch.cat([known[list(VISIBLE)], hidden[None]]), matrix, SIDE)
        logits = self.net(cells[None].to(device)).float().cpu()
        shares = _laid_back(logits.softmax(1)[0], matrix, hidden.shape)
        result = known.clone()
        result[list(CHOICE)] += hidden * shares
        return result


def square_of(hidden: Tensor, neck: Neck) -> Tensor:
    """(2, 3): pixels -> cells of the network's square, which is centred at the chin and holds all that is `hidden`."""
    reach = REACH * neck.unit / 2
    spots = torch.nonzero(hidden > 0.05)
    if len(spots):
        reach = max(reach, float((spots.flip(1) + 0.5 - neck.chin).abs().max()) + 0.5 * neck.unit)
    scale = SIDE / (2 * reach)
    return torch.cat([torch.eye(2) * scale, (SIDE / 2 - scale * neck.chin)[:, None]], 1)


def cut(maps: Tensor, matrix: Tensor, side: int) -> Tensor:
    """(C, H, W) -> (C, side, side), 0 beyond the maps. `matrix`: (2, 3), pixels -> cells; it may turn and mirror."""
    linear = torch.linalg.inv(matrix[:, :2].float())
    ys, xs = torch.meshgrid(torch.arange(side) + 0.5, torch.arange(side) + 0.5, indexing="ij")
    spots = (torch.stack([xs, ys], -1) - matrix[:, 2].float()) @ linear.T
    shrink = float(matrix[:, :2].float().det().abs().sqrt())
    if shrink < _SMALLER:
        size = [max(1, round(n * shrink)) for n in maps.shape[1:]]
        spots = spots * (torch.tensor(size[::-1]) / torch.tensor(list(maps.shape[:0:-1])))
        maps = functional.interpolate(maps[None], size, mode="bilinear", antialias=True, align_corners=False)[0]
    grid = spots / torch.tensor(list(maps.shape[:0:-1])) * 2 - 1
    return functional.grid_sample(maps[None], grid[None], align_corners=False)[0]


def _laid_back(shares: Tensor, matrix: Tensor, size: torch.Size) -> Tensor:
    """The network's shares (3, SIDE, SIDE) as pixels (3, H, W), 1 in sum."""
    ys, xs = torch.meshgrid(torch.arange(size[0]) + 0.5, torch.arange(size[1]) + 0.5, indexing="ij")
    grid = apply_affine(matrix, torch.stack([xs, ys], -1)) / SIDE * 2 - 1
    return functional.grid_sample(
        shares[None], grid[None].float(), mode="bilinear", padding_mode="border", align_corners=False
    )[0]
