"""What travels on the FACE_CONTROLLER wire, and what every kind of controller does with a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from ...detectors.parts import FaceParts
from ...detectors.progress import Progress
from ...fusion.regions.assembly import Assembly
from ...injection.facex.representation import FaceRepresentation
from ...injection.ip_adapter.part_tokens import PartTokens
from .patcher import InPatcher

# What travels on the FACE_REPRESENTATION wire: each kind of controller has its own.
Representation = PartTokens | FaceRepresentation


@dataclass(frozen=True)
class Settings:
    """`strength`: factor on everything. `start`, `end`: the part of the sampling, 0..1, in which a controller acts.

    `block_weights`: as `injection.unet.block_weights` reads them. `owner`: the node, for messages during sampling.
    """

    strength: float
    start: float
    end: float
    block_weights: str
    owner: str


@dataclass(frozen=True, eq=False)
class Area:
    """Where a controller acts. `target`: the faces that are steered, None for the whole picture.

    `mask`: (B or 1, H, W) 0..1 on the target, None for everywhere. `grow`, `feather`: of each region, in lengths of the
    face's longer side. `overlap`: of `injection.ip_adapter.givers.OVERLAPS`.
    """

    target: FaceParts | None
    mask: Tensor | None
    grow: float
    feather: float
    overlap: str


@dataclass(frozen=True, eq=False)
class FaceController(InPatcher, ABC):
    """Weights that let reference faces steer a model.

    `kind`: "ip-adapter" or "facex". `self_sufficient`: whether it brings all of a face, motion and a substitute for the
    prompt included. `family`: "sd15", "sd2" or "sdxl". `variant`: which of its kind, for messages. `patcher`: the
    host's ModelPatcher that holds the module.
    """

    kind: ClassVar[str]
    self_sufficient: ClassVar[bool]
    family: str
    variant: str
    patcher: Any

    @abstractmethod
    def encode(
        self, clip_vision: Any, parts: FaceParts, strengths: Mapping[str, float], padding: float,
        inpaint: Tensor | None, progress: Progress | None,
    ) -> tuple[Representation, Tensor, str]:  # fmt: skip
        """A person's representation, the pictures that were encoded, and a report."""

    @abstractmethod
    def steer(
        self, model: Any, representations: Sequence[Representation], area: Area, settings: Settings,
        progress: Progress | None,
    ) -> tuple[Any, list[tuple[Tensor, float]]]:  # fmt: skip
        """A clone of `model` that the people steer; the mask (B or 1, H, W) and the strength of each region."""

    @abstractmethod
    def edit(
        self, model: Any, vae: Any, clip_vision: Any, assembly: Assembly, people: Mapping[str, FaceParts],
        settings: Settings, identity: str | None, motion: str | None, progress: Progress | None,
    ) -> tuple[Any, Any, Any, list[str]]:  # fmt: skip
        """A clone of `model` steered by the people of an assembly; positive and negative conditioning; report lines.

        `people`: giver -> faces. `identity`, `motion`: who gives it, None for the task's own choice. The conditionings
        are those that stand for a prompt, None where the controller has none.
        """
