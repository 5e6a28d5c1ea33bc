"""Face Mesh: 468 points in three dimensions on an upright square crop, and how certainly it shows a face.

Paper: "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", arXiv 1907.06724, and the model card
"MediaPipe Face Mesh". Built from the blocks of BlazeFace with PReLU; layers are named as in tools/convert_mediapipe.py.
"""

from __future__ import annotations

from torch import Tensor, nn

from .blaze_blocks import BlazeBlock, Collapse, Pointwise, same_padding

# Side of the crop in pixels, and the number of points.
MESH_SIZE, MESH_POINTS = 192, 468


class Head(nn.Module):
    """Block, 1 x 1 to 32 channels, block, and a 3 x 3 convolution that leaves one cell."""

    def __init__(self, out_channels: int, stride: int) -> None:
        super().__init__()
        self.first = BlazeBlock(128, 128, stride, prelu=True)
        self.narrow, self.narrow_act = Pointwise(128, 32), nn.PReLU(32)
        self.second = BlazeBlock(32, 32, prelu=True)
        self.out = Collapse(32, out_channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.second(self.narrow_act(self.narrow(self.first(x)))))


class FaceMesh(nn.Module):
    """(N, 3, 192, 192) in 0..1 -> points (N, 468, 3) and presence logits (N,).

    x and y are pixels of the crop; z has the same scale, grows away from the camera and has no meaningful zero.
    """

    WIDTHS = (16, 16, 16, 32, 32, 32, 64, 64, 64, 128, 128, 128, 128, 128, 128, 128, 128)
    STRIDED = (2, 5, 8, 11, 14)
    # The presence head reads the trunk after this block, where the map has 6 x 6 cells.
    PRESENCE_AFTER = 14

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.stem_act = nn.Conv2d(3, 16, 3, 2), nn.PReLU(16)
        pairs = zip(self.WIDTHS, self.WIDTHS[1:], strict=False)
        self.trunk = nn.ModuleList(
            BlazeBlock(a, b, 1 + (i in self.STRIDED), prelu=True) for i, (a, b) in enumerate(pairs)
        )
        self.points, self.presence = Head(3 * MESH_POINTS, 1), Head(1, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem_act(self.stem(same_padding(x, 3, 2)))
        for block in self.trunk[: self.PRESENCE_AFTER]:
            x = block(x)
        presence = self.presence(x)
        for block in self.trunk[self.PRESENCE_AFTER :]:
            x = block(x)
        return self.points(x).unflatten(1, (MESH_POINTS, 3)), presence[:, 0]
