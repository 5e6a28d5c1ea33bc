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
from ..faces.identity import RECOGNISER
from ..faces.motion_groups import PROVIDER, WIDTHS

# The encoder that FaceX was published with.
VISION = "CLIP ViT-L/14 at 224 pixels"
# Width of a region token; not published, ours.
REGION_WIDTH = 512


@dataclass(frozen=True)
class Source:
    """The provider of a representation by name, the number of tokens that it gives, and their width."""

    provider: str
    tokens: int
    width: int


def fits(trained_with: str, made_by: str) -> bool:
    """Whether a controller takes what this provider made: RECOGNISER alone stands for any such network."""
    return made_by == trained_with or (trained_with == RECOGNISER and made_by.startswith(f"{RECOGNISER} "))


def sources_of(motion: str = PROVIDER, recogniser: str = RECOGNISER) -> dict[str, Source]:
    """Representation -> source, of all that FaceX has, in the order of the tokens.

    `motion`: the provider of the motion groups, of faces.motion_groups.WIDTHS.
    `recogniser`: the provider of identity. "region" comes from region_tokens.RegionTokens.
    Raises ValueError for an unknown provider of motion.
    """
    if motion not in WIDTHS:
        raise ValueError(f"'{motion}' is not a provider of motion; known are {', '.join(WIDTHS)}")
    return {
        "identity": Source(recogniser, 49, 512),
        "region": Source(VISION, len(REGIONS), REGION_WIDTH),
        **{group: Source(motion, 1, width) for group, width in WIDTHS[motion].items()},
        "inpaint": Source(VISION, 256, 1024),
    }


SOURCES: Mapping[str, Source] = sources_of()


class RepresentationAdapter(nn.Module):
    """phi_R, and phi_Inp's last layer: one linear layer for each of `sources` to a common `width`.

    A representation that a face lacks is all zeros, so that the layer's bias is its learned empty token.
    """

    def __init__(self, sources: Mapping[str, Source], width: int, *, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.sources = dict(sources)
        self.linear = nn.ModuleDict({name: ops.Linear(s.width, width, **factory) for name, s in sources.items()})

    def forward(self, representations: Mapping[str, Tensor]) -> Tensor:
        """(B, t, width): the tokens of all sources, in their order.

        `representations`: name -> (B, tokens of its source, width of its source), all with the same B.
        Raises ValueError for a representation that is missing or of another shape.
        """
        for name, source in self.sources.items():
            if name not in representations:
                raise ValueError(
                    f"the controller needs the representation '{name}' from {source.provider}, which "
                    "face_representation does not have; encode the face with this controller"
                )
            shape = tuple(representations[name].shape[1:])
            if shape != (source.tokens, source.width):
                raise ValueError(
                    f"the representation '{name}' has shape {shape}; the controller was made for "
                    f"{(source.tokens, source.width)} from {source.provider}"
                )
        return torch.cat([self.linear[name](representations[name]) for name in self.sources], 1)


class SDAdapter(nn.Module):
    """phi_SD: (B, `tokens`, `width`) -> f_SD (B, `tokens`, `context`).

    It works on each token by itself: a learned position, LayerNorm, Linear, GELU, Linear, LayerNorm; the UNet's new
    cross-attention mixes them. An unconditioned sample attends to `empty` (1, `tokens`, `context`) instead.
    """

    def __init__(self, tokens: int, width: int, context: int, *, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, tokens, width, **factory))
        self.empty = nn.Parameter(torch.zeros(1, tokens, context, **factory))
        self.layers = nn.Sequential(
            ops.LayerNorm(width, **factory), ops.Linear(width, context, **factory), nn.GELU(),
            ops.Linear(context, context, **factory), ops.LayerNorm(context, **factory),
        )  # fmt: skip

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layers(tokens + self.position.to(tokens))
