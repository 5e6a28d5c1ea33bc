"""FuseAnyPart's two published models as modules: what turns fused features into something that a UNet can add.

Variant A (the inference program, and the weights that were published) adds at the output of every cross-attention;
variant B (the training program) adds inside ResNet blocks. Source: arXiv 2410.22771 and the public release.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..unet.fit import AttentionSize
from ..unet.projections import FeatureProjection, Resampler

CROSS_ATTENTION, RESNET = "A", "B"


class CrossAttentionAdapter(nn.Module):
    """Variant A: `features` once per image, then `project` per block; the block's own `to_out` comes after it.

    channels: block name (`blocks.BLOCKS`) -> its width. width: of the encoder's tokens. context: of the UNet's text.
    12,222,144 parameters at SD1.5's sizes.
    """

    kind = CROSS_ATTENTION

    def __init__(
        self, channels: Mapping[str, int], width: int = 1280, context: int = 768, *, ops: Any = nn, **factory: Any
    ) -> None:
        super().__init__()
        self.width = width
        self.block_sizes = {name: AttentionSize(size, context) for name, size in channels.items()}
        self.image_proj2 = FeatureProjection(width, context, ops=ops, **factory)
        self.image_projector = nn.ModuleDict({n: ops.Linear(context, c, **factory) for n, c in channels.items()})

    def features(self, patches: Tensor) -> Tensor:
        """Patch tokens (B, h*w, width) -> (B, h*w, context)."""
        return self.image_proj2(patches)

    def project(self, name: str, features: Tensor) -> Tensor:
        """(B, h*w, context) -> (B, h*w, C) of the block `name`."""
        return self.image_projector[name](features)


class ResnetAdapter(nn.Module):
    """Variant B: `project` gives what is added after the second GroupNorm of each ResNet block, `context` 16 tokens.

    The tokens replace the text. channels: block name (`blocks.BLOCKS`) -> width of its ResNet block. width: of the
    encoder's tokens. context: of the UNet's text. 45,905,088 parameters at SD1.5's sizes (the published file has 16
    more, the alphas).
    """

    kind = RESNET

    def __init__(
        self, channels: Mapping[str, int], width: int = 1280, context: int = 768, *, ops: Any = nn, **factory: Any
    ) -> None:
        super().__init__()
        self.width = width
        self.block_sizes = {name: AttentionSize(size, context) for name, size in channels.items()}
        self.image_proj_model = Resampler(width_in=width, width_out=context, ops=ops, **factory)
        # A convolution of one token is a linear layer; `alpha` is multiplied into it when the weights are read.
        self.conv1d = nn.ModuleDict({n: ops.Linear(width, c, **factory) for n, c in channels.items()})

    def context(self, tokens: Tensor) -> Tensor:
        """All tokens, class token included, (B, 1 + h*w, width) -> (B, 16, context)."""
        return self.image_proj_model(tokens)

    def project(self, name: str, patches: Tensor) -> Tensor:
        """Patch tokens (B, h*w, width) -> (B, h*w, C) of the block `name`, times its alpha."""
        return self.conv1d[name](patches)


Adapter = CrossAttentionAdapter | ResnetAdapter
