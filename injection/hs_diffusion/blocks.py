"""The layers that UNet and codec share, with the weight names of diffusers' ResnetBlock2D and Attention."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Resnet(nn.Module):
    """(N, `into`, h, w) -> (N, `out`, h, w). `time`: width of its embedding, 0 without one. `ops`: whose layers."""

    def __init__(self, into: int, out: int, groups: int, eps: float, time: int, ops: Any) -> None:
        super().__init__()
        self.norm1 = ops.GroupNorm(groups, into, eps)
        self.conv1 = ops.Conv2d(into, out, 3, padding=1)
        if time:
            self.time_emb_proj = ops.Linear(time, out)
        self.norm2 = ops.GroupNorm(groups, out, eps)
        self.conv2 = ops.Conv2d(out, out, 3, padding=1)
        self.conv_shortcut = ops.Conv2d(into, out, 1) if into != out else None

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        y = self.conv1(functional.silu(self.norm1(x)))
        if time is not None:
            y = y + self.time_emb_proj(functional.silu(time))[:, :, None, None]
        y = self.conv2(functional.silu(self.norm2(y)))
        return y + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class Attention(nn.Module):
    """Self-attention over the cells of (N, `width`, h, w), added to them. `head_width`: channels of one head."""

    def __init__(self, width: int, head_width: int, groups: int, eps: float, ops: Any) -> None:
        super().__init__()
        self.heads = width // head_width
        self.group_norm = ops.GroupNorm(groups, width, eps)
        self.to_q, self.to_k, self.to_v = (ops.Linear(width, width) for _ in range(3))
        self.to_out = nn.ModuleList([ops.Linear(width, width)])

    def forward(self, x: Tensor) -> Tensor:
        n, width, h, w = x.shape
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)
        q, k, v = (
            layer(tokens).view(n, h * w, self.heads, -1).transpose(1, 2) for layer in (self.to_q, self.to_k, self.to_v)
        )
        y = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, h * w, width)
        return x + self.to_out[0](y).transpose(1, 2).reshape(n, width, h, w)


class Sampler(nn.Module):
    """One convolution that halves or doubles the grid, under the name that diffusers gives it, `conv`."""

    def __init__(self, width: int, stride: int, padding: int, ops: Any) -> None:
        super().__init__()
        self.padding = padding
        self.conv = ops.Conv2d(width, width, 3, stride, padding)

    def forward(self, x: Tensor, size: torch.Size | None = None) -> Tensor:
        """`size`: (h, w) that the doubled grid shall have; None where it is halved."""
        if size is not None:
            x = functional.interpolate(x, size, mode="nearest")
        elif not self.padding:
            x = functional.pad(x, (0, 1, 0, 1))
        return self.conv(x)


class Stage(nn.Module):
    """The blocks of one resolution: resnets, each with its attention where the stage has any, and a sampler."""

    def __init__(
        self,
        widths: list[tuple[int, int]],
        attends: bool,
        head_width: int,
        groups: int,
        eps: float,
        time: int,
        ops: Any,
    ) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(Resnet(a, b, groups, eps, time, ops) for a, b in widths)
        self.attentions = nn.ModuleList(
            Attention(b, head_width, groups, eps, ops) for _, b in (widths if attends else [])
        )
        # None adds nothing to the weights; the network sets one where the grid changes behind the stage.
        self.downsamplers: nn.ModuleList | None = None
        self.upsamplers: nn.ModuleList | None = None

    def __len__(self) -> int:
        return len(self.resnets)

    def layer(self, i: int, x: Tensor, time: Tensor | None = None) -> Tensor:
        x = self.resnets[i](x, time)
        return self.attentions[i](x) if len(self.attentions) else x


def stages(blocks: nn.ModuleList) -> list[Stage]:
    return [stage for stage in blocks if isinstance(stage, Stage)]


class Middle(nn.Module):
    def __init__(self, width: int, head_width: int, groups: int, eps: float, time: int, ops: Any) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(Resnet(width, width, groups, eps, time, ops) for _ in range(2))
        self.attentions = nn.ModuleList([Attention(width, head_width, groups, eps, ops)])

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        return self.resnets[1](self.attentions[0](self.resnets[0](x, time)), time)
