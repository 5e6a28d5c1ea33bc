"""FaceX's learned parts as one module: region pyramid, adapters and controller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...detectors.motion import MOTION
from ..faces.motion_groups import PROVIDER, motion_groups
from .adapters import RECOGNISER, RepresentationAdapter, SDAdapter, Source, fits, sources_of
from .control import RepresentationControl, block_channels, family_of
from .region_tokens import RegionTokens
from .representation import FaceRepresentation


@dataclass(frozen=True)
class FaceXConfig:
    """What a controller was made for: `family` ("sd15", "sd2"), block name -> width, representation -> source."""

    family: str
    channels: Mapping[str, int]
    sources: Mapping[str, Source]


class FaceX(nn.Module):
    """Everything of FaceX that is learned and that a UNet does not have.

    318 tokens. Parameters at full size: 73,043,200 for "sd15" (292 MB in fp32, 146 MB in fp16), 81,047,808 for "sd2"
    (324 and 162 MB); 120,576 and 160,768 more with motion from Deep3DFaceRecon.
    """

    def __init__(self, config: FaceXConfig, *, ops: Any = nn, **place: Any) -> None:
        super().__init__()
        self.config = config
        # Layers that cast their weights to what comes in compute in float32; torch's own in what they are in.
        self._casts = ops is not nn
        context = family_of(config.family).context
        place = {"ops": ops, **place}
        region, inpaint = config.sources["region"], config.sources["inpaint"]
        self.regions = RegionTokens(inpaint.width, region.width, region.tokens, **place)
        self.representation = RepresentationAdapter(config.sources, context, **place)
        count = sum(source.tokens for source in config.sources.values())
        self.sd = SDAdapter(count, context, context, **place)
        self.control = RepresentationControl(config.family, config.channels, **place)

    def tokens(self, face: FaceRepresentation) -> tuple[Tensor, Tensor]:
        """f_SD (B, t, context) of a face, and (1, t, context) of none, in the module's type (float32 if it casts).

        Raises ValueError when the face lacks a representation that the controller was made with, when another
        provider made it, or when its shape differs.
        """
        providers = providers_of(self.config)
        for name, provider in providers.items():
            made = face.providers.get(name, provider)
            if not fits(provider, made):
                raise ValueError(
                    f"the representation '{name}' of face_representation was made by {made}, the controller was "
                    f"trained with {provider}; encode the face with that, or take another controller"
                )
        place = (self.sd.position.device, torch.float32 if self._casts else self.sd.position.dtype)
        motion = face.providers.get("motion", providers.get("motion", PROVIDER))
        given = {name: tokens.to(*place) for name, tokens in _representations(face, motion).items()}
        return self.sd(self.representation(given)), self.sd.empty.to(*place)


def providers_of(config: FaceXConfig) -> dict[str, str]:
    """What FaceRepresentation.providers must say for this controller: "region", "identity", "motion", "inpaint".

    Motion groups of several providers, which nobody makes together, stand by their own names.
    """
    one = len({source.provider for name, source in config.sources.items() if name in MOTION}) == 1
    return {"motion" if one and name in MOTION else name: source.provider for name, source in config.sources.items()}


def default_config(
    family: str = "sd15", channels: Mapping[str, int] | None = None, *, identity: bool = True, motion: str = PROVIDER,
    recogniser: str = RECOGNISER,
) -> FaceXConfig:  # fmt: skip
    """FaceX as the paper has it; without `identity` it needs no recogniser. `channels`: full size unless given.

    `motion`: who gives pose, expression and so on, of motion.WIDTHS. `recogniser`: whose identity tokens it will be
    trained with, as identity.recogniser_name gives it; unless given, the file binds nobody to one. Raises ValueError
    for an unknown family or provider.
    """
    family_of(family)
    every = sources_of(motion, recogniser)
    sources = {name: source for name, source in every.items() if identity or name != "identity"}
    return FaceXConfig(family, dict(channels or block_channels()), sources)


def _representations(face: FaceRepresentation, motion: str) -> dict[str, Tensor]:
    given = {"identity": face.identity, "region": face.regions, "inpaint": face.inpaint}
    there = {name: tokens for name, tokens in given.items() if tokens is not None}
    if face.motion is not None:
        there |= {name: values[:, None] for name, values in motion_groups(face.motion, motion).items()}
    return there
