"""IP-Adapters in the host: load the weights, encode parts for them, steer a model with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import comfy.model_management as mm
import comfy.ops
from torch import Tensor

from ...detectors.parts import FaceParts
from ...detectors.progress import Progress
from ...fusion.regions.assembly import Assembly
from ...injection.ip_adapter.adapter import FULL_FACE, IPAdapter, check_encoder, recognise
from ...injection.ip_adapter.givers import OVERLAPS, steer_assembly, unsteered
from ...injection.ip_adapter.part_tokens import PartTokens, encode_parts, part_tokens_only
from ...injection.ip_adapter.regional_attention import Steering
from .attention import check_encoders, steer_model
from .controller import Area, FaceController, Representation, Settings
from .encoder import host_encoder
from .omni import fit_to_cells
from .patcher import managed


def load_ip_adapter(weights: dict[str, Tensor], path: str) -> IPAdapterController:
    """The contents of the IP-Adapter file `path`, checked, under the host's memory management.

    Raises ValueError when the file holds no IP-Adapter of a usable kind.
    """
    layout = recognise(weights, path)
    key = "image_proj.proj.0.weight" if layout.variant == FULL_FACE else "image_proj.latents"
    module = IPAdapter(layout, ops=comfy.ops.manual_cast, dtype=weights[key].dtype, device=mm.unet_offload_device())
    return IPAdapterController(layout.family, layout.variant, managed(module, weights))


class IPAdapterController(FaceController):
    """An IP-Adapter: each part of a reference steers its own region of the target."""

    kind: ClassVar[str] = "ip-adapter"
    self_sufficient: ClassVar[bool] = False

    # Every IP-Adapter takes the same, so that none is needed.
    @staticmethod
    def encode(
        clip_vision: Any, parts: FaceParts, strengths: Mapping[str, float], padding: float, inpaint: Tensor | None,
        progress: Progress | None,
    ) -> tuple[PartTokens, Tensor, str]:  # fmt: skip
        tokens, crops = encode_parts(host_encoder(clip_vision), parts, strengths, padding, progress)
        return tokens, crops, ""

    def steer(
        self, model: Any, representations: Sequence[Representation], area: Area, settings: Settings,
        progress: Progress | None,
    ) -> tuple[Any, list[tuple[Tensor, float]]]:  # fmt: skip
        people = [part_tokens_only(one, f"representation {i}") for i, one in enumerate(representations, 1)]
        check_encoders(self, people)
        steerings = OVERLAPS[area.overlap](
            people, area.target, strength=settings.strength, grow=area.grow, feather=area.feather, mask=area.mask,
            progress=progress,
        )  # fmt: skip
        return self._steered(model, steerings, settings), [(s.mask, s.strength) for s in steerings]

    def edit(
        self, model: Any, vae: Any, clip_vision: Any, assembly: Assembly, people: Mapping[str, FaceParts],
        settings: Settings, identity: str | None, motion: str | None, progress: Progress | None,
    ) -> tuple[Any, None, None, list[str]]:  # fmt: skip
        encoder = host_encoder(clip_vision)
        check_encoder(self.module.layout, encoder.width, encoder.name)
        steerings = steer_assembly(encoder, assembly, people, settings.strength, progress)
        # The latent lacks what fit_to_cells cuts off.
        fitted = [replace(steering, mask=fit_to_cells(vae, steering.mask)[0]) for steering in steerings]
        hidden = ", ".join(unsteered(assembly.regions_from, assembly.base, steerings))
        notes = [f"hidden or not known, so not steered: {hidden}"] if hidden else []
        return self._steered(model, fitted, settings), None, None, notes

    def _steered(self, model: Any, steerings: Sequence[Steering], settings: Settings) -> Any:
        return steer_model(
            model, self, steerings, block_weights=settings.block_weights, start=settings.start, end=settings.end,
            owner=settings.owner,
        )  # fmt: skip
