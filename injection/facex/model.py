"""FaceX's learned parts as one module: region pyramid, adapters and controller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...detectors.motion import MOTION
from ..faces.identity import RECOGNISER
from ..faces.motion_groups import PROVIDER, motion_groups
from .adapters import RepresentationAdapter, SDAdapter, Source, fits, sources_of
from .control import RepresentationControl, block_channels, family_of
from .region_tokens import RegionTokens
from .representation import FaceRepresentation


@dataclass(frozen=True)
class FaceXConfig:
    """What a controller was made for.

    `family`: "sd15" or "sd2". `channels`: block name -> width. `sources`: representation -> source.
    """

    family: str
    channels: Mapping[str, int]
    sources: Mapping[str, Source]


class FaceX(nn.Module):
    """Everything of FaceX that is learned and that a UNet does not have.

    318 tokens. Parameters at full size: 73,043,200 for "sd15" (292 MB in fp32, 146 MB in fp16), 81,047,808 for "sd2"
    (324 and 162 MB); 120,576 and 160,768 more with motion from Deep3DFaceRecon.
    """

    def __init__(self, config: FaceXConfig, *, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.config = config
        # A host's layers cast their weights to their input, here float32; torch's own compute in their weights' type.
        self._casts = ops is not nn
        context = family_of(config.family).context
        factory = {"ops": ops, **factory}
        region, inpaint = config.sources["region"], config.sources["inpaint"]
        self.regions = RegionTokens(inpaint.width, region.width, region.tokens, **factory)
        self.representation = RepresentationAdapter(config.sources, context, **factory)
        count = sum(source.tokens for source in config.sources.values())
        self.sd = SDAdapter(count, context, context, **factory)
        self.control = RepresentationControl(config.family, config.channels, **factory)

    def tokens(self, face: FaceRepresentation) -> tuple[Tensor, Tensor]:
        """f_SD (B, t, context) of a face and of no face (1, t, context), in the module's type (float32 if it casts).

        Raises ValueError when the face lacks a representation that the controller was made with, when another provider
        made it, or when its shape differs.
        """
        providers = providers_of(self.config)
        for name, provider in providers.items():
            maker = face.providers.get(name, provider)
            if not fits(provider, maker):
                raise ValueError(
                    f"the representation '{name}' of face_representation was made by {maker}, the controller was "
                    f"trained with {provider}; encode the face with that, or take another controller"
                )
        device, dtype = self.sd.position.device, torch.float32 if self._casts else self.sd.position.dtype
        motion = face.providers.get("motion", providers.get("motion", PROVIDER))
        tokens = {name: part.to(device, dtype) for name, part in _representations(face, motion).items()}
        return self.sd(self.representation(tokens)), self.sd.empty.to(device, dtype)


def providers_of(config: FaceXConfig) -> dict[str, str]:
    """What FaceRepresentation.providers must be for this controller: "region", "identity", "motion", "inpaint" -> name.

    Motion groups of several providers, which this pack does not make together, keep their own names.
    """
    providers = {name: source.provider for name, source in config.sources.items()}
    alike = len({provider for name, provider in providers.items() if name in MOTION}) == 1
    return {"motion" if alike and name in MOTION else name: provider for name, provider in providers.items()}


def default_config(
    family: str = "sd15", channels: Mapping[str, int] | None = None, *, identity: bool = True, motion: str = PROVIDER,
    recogniser: str = RECOGNISER,
) -> FaceXConfig:  # fmt: skip
    """FaceX as in the paper.

    `channels`: block name -> width, of the full size by default.
    `identity`: whether it takes identity tokens, which need a recogniser.
    `motion`: the provider of pose, expression and so on, of faces.motion_groups.WIDTHS.
    `recogniser`: the name (identity.recogniser_name) of the one that it will be trained with; by default any.
    Raises ValueError for an unknown family or provider.
    """
    family_of(family)
    every = sources_of(motion, recogniser)
    sources = {name: source for name, source in every.items() if identity or name != "identity"}
    return FaceXConfig(family, dict(channels or block_channels()), sources)


def _representations(face: FaceRepresentation, motion: str) -> dict[str, Tensor]:
    tokens = {"region": face.regions, "inpaint": face.inpaint}
    if face.identity is not None:
        tokens["identity"] = face.identity
    return tokens | {group: values[:, None] for group, values in motion_groups(face.motion, motion).items()}
