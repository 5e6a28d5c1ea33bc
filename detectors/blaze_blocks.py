"""The layers that BlazeFace and the face meshes are built of, computed in ways that are fast on a CPU.

Paper: "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", arXiv 1907.05047.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


def same_padding(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Zero padding that makes an unpadded convolution equal to TFLite's SAME, with the odd pixel at the end."""
    height, width = (max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:])
    return F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))


class Depthwise(nn.Conv2d):
    """3 x 3 depthwise convolution with TFLite's SAME padding, or with one pixel on all sides where `symmetric`."""

    def __init__(self, channels: int, stride: int = 1, symmetric: bool = False) -> None:
        self.pad_end_only = stride == 2 and not symmetric
        super().__init__(channels, channels, 3, stride, 0 if self.pad_end_only else 1, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        if not self.pad_end_only:
            return super().forward(x)
        if x.shape[-2] % 2 or x.shape[-1] % 2:
            return super().forward(same_padding(x, 3, 2))
        # Padded on all sides, without the first row and column: the same numbers, and no padded copy of the input.
        return F.conv2d(x, self.weight, self.bias, 2, 2, 1, self.groups)[..., 1:, 1:]


class Pointwise(nn.Conv2d):
    """1 x 1 convolution, done as a matrix product over the channels of a channels-last tensor.

    On a CPU this halves the time of small batches. With very few outputs the convolution is faster.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.out_channels < 16:
            return super().forward(x)
        return F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)

    def onto(self, total: Tensor, x: Tensor) -> Tensor:
        """`total` + self(x), written into `total`. Saves one pass over the memory against adding afterwards."""
        rows = total.permute(0, 2, 3, 1)
        if not rows.is_contiguous():
            return total.add_(self(x))
        rows.view(-1, self.out_channels).addmm_(
            x.permute(0, 2, 3, 1).reshape(-1, self.in_channels), self.weight.flatten(1).t()
        )
        return total.add_(self.get_parameter("bias")[:, None, None])


class Collapse(nn.Conv2d):
    """A convolution with a kernel as large as its input, as a matrix product: (N, C, K, K) -> (N, out_channels)."""

    def forward(self, x: Tensor) -> Tensor:
        rows, weight = (t.permute(0, 2, 3, 1).flatten(1) for t in (x, self.weight))
        return F.linear(rows, weight, self.bias)


class BlazeBlock(nn.Module):
    """Depthwise and pointwise convolution, plus the input, then ReLU or PReLU.

    The input is pooled at stride 2, and added to the first channels where their number grows. Where the shape stays the
    same, the result overwrites the input.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, prelu: bool = False) -> None:
        super().__init__()
        self.depthwise = Depthwise(in_channels, stride)
        self.pointwise = Pointwise(in_channels, out_channels)
        self.act = nn.PReLU(out_channels) if prelu else nn.ReLU(inplace=True)
        self.stride, self.new_channels = stride, out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x)
        if self.stride == 2:
            x = F.max_pool2d(x, 2)
        if self.new_channels:
            y = self.pointwise(y)
            y[:, : x.shape[1]].add_(x)
            return self.act(y)
        return self.act(self.pointwise.onto(x, y))
