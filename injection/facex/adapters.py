"""FaceX's adapters: representations of one face -> f_SD, the tokens that the controller attends to.

arXiv 2401.00551, section 3.3: a linear layer for each representation gives f_Rep, the inpainting reference gives
f_Inp, and the SD adapter turns both together into f_SD. Widths, token counts and the SD adapter's layers are not
published; those here are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...fusion.regions.tasks import REGIONS
from ..faces.motion_groups import PROVIDER, WIDTHS

VISION = "CLIP ViT-L/14 at 224 pixels"
# Alone: whichever such network; with a hash of its weights behind it (identity.recogniser_name): that one.
RECOGNISER = "ArcFace iresnet"
REGION_WIDTH = 512


@dataclass(frozen=True)
class Source:
    """Where a representation comes from: the provider's name, and how many tokens of which width it gives."""

    provider: str
    tokens: int
    width: int


def fits(trained_with: str, made_by: str) -> bool:
    """Whether a controller takes what this provider made: RECOGNISER alone stands for any such network."""
    return made_by == trained_with or (trained_with == RECOGNISER and made_by.startswith(f"{RECOGNISER} "))


def sources_of(motion: str = PROVIDER, recogniser: str = RECOGNISER) -> dict[str, Source]:
    """Every representation, in the order of the tokens, with the motion groups from that provider of motion.WIDTHS.

    "region" is what region_tokens.RegionTokens makes of the encoder's patches; `recogniser` gives identity. Raises
    ValueError for another provider.
    """
    if motion not in WIDTHS:
        raise ValueError(f"'{motion}' is no provider of motion; known are {', '.join(WIDTHS)}")
    return {
        "identity": Source(recogniser, 49, 512),
        "region": Source(VISION, len(REGIONS), REGION_WIDTH),
        **{group: Source(motion, 1, width) for group, width in WIDTHS[motion].items()},
        "inpaint": Source(VISION, 256, 1024),
    }


SOURCES: Mapping[str, Source] = sources_of()


class RepresentationAdapter(nn.Module):
    """phi_R, and phi_Inp's last layer: one linear layer for each of `sources` to a common `width`.

    A representation that a face lacks comes as zeros, so that the layer's bias is its learned empty token.
    """

    def __init__(self, sources: Mapping[str, Source], width: int, *, ops: Any = nn, **place: Any) -> None:
        super().__init__()
        self.sources = dict(sources)
        self.linear = nn.ModuleDict({name: ops.Linear(s.width, width, **place) for name, s in sources.items()})

    def forward(self, given: Mapping[str, Tensor]) -> Tensor:
        """Representation -> (B, tokens, its width), all of one B -> (B, t, width), in the order of `sources`.

        Raises ValueError for a representation that is missing or of another shape.
        """
        for name, source in self.sources.items():
            if name not in given:
                raise ValueError(
                    f"the controller needs the representation '{name}' from {source.provider}, which "
                    "face_representation does not have; encode the face with this controller"
                )
            if given[name].shape[1:] != (source.tokens, source.width):
                raise ValueError(
                    f"the representation '{name}' has shape {tuple(given[name].shape[1:])}; the controller was made "
                    f"for {(source.tokens, source.width)} from {source.provider}"
                )
        return torch.cat([self.linear[name](given[name]) for name in self.sources], 1)


class SDAdapter(nn.Module):
    """phi_SD: (B, `tokens`, `width`) -> f_SD (B, `tokens`, `context`).

    Each token by itself: a learned position, LayerNorm, Linear, GELU, Linear, LayerNorm; mixing is left to the UNet's
    new cross-attention. `empty` (1, `tokens`, `context`) is what an unconditioned sample attends to.
    """

    def __init__(self, tokens: int, width: int, context: int, *, ops: Any = nn, **place: Any) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, tokens, width, **place))
        self.empty = nn.Parameter(torch.zeros(1, tokens, context, **place))
        self.layers = nn.Sequential(
            ops.LayerNorm(width, **place), ops.Linear(width, context, **place), nn.GELU(),
            ops.Linear(context, context, **place), ops.LayerNorm(context, **place),
        )  # fmt: skip

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layers(tokens + self.position.to(tokens))
