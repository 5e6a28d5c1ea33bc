"""FaceX's controller in the host: load its weights, encode faces for it, apply it to a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import comfy.model_management as mm
import comfy.ops
import torch
from torch import Tensor

from ...detectors.parts import FaceParts
from ...detectors.picture import as_pictures
from ...detectors.progress import Progress
from ...fusion.features.part_crops import WHOLE
from ...fusion.regions.assembly import Assembly
from ...fusion.regions.tasks import TARGET
from ...injection.facex.assemble import assemble_representation, identity_giver
from ...injection.facex.encode import encode_facex, encode_people
from ...injection.facex.file import build_controller
from ...injection.facex.model import FaceX, providers_of
from ...injection.facex.patch import ControlPatch
from ...injection.facex.representation import FaceRepresentation, facex_only
from ...injection.ip_adapter.regions import region_masks
from ...injection.sampling.span import Span
from ...injection.unet.block_weights import read_block_weights
from ...injection.unet.blocks import BLOCKS
from ...injection.unet.fit import check_fit, unet_sizes
from .attention import keep_loaded
from .controller import Area, FaceController, Representation, Settings
from .encoder import host_encoder
from .networks import host_deep3d, host_recogniser
from .patcher import managed
from .sampling import wrap_sampling


def load_facex(
    weights: Mapping[str, Tensor], metadata: Mapping[str, str] | None, path: str = "the controller file"
) -> FaceXController:
    """The contents of a controller file, checked, under the host's memory management.

    Raises ValueError when the file is not a FaceX controller, or not whole.
    """
    dtype = next(iter(weights.values())).dtype if weights else torch.float32
    module = build_controller(
        weights, metadata, path, ops=comfy.ops.manual_cast, device=mm.unet_offload_device(), dtype=dtype
    ).eval()
    variant = ", ".join(f"{name} from {provider}" for name, provider in providers_of(module.config).items())
    return FaceXController(module.config.family, variant, managed(module, dict(weights)))


class FaceXController(FaceController):
    """FaceX: the whole face is repainted from one representation, put together from any number of people."""

    kind: ClassVar[str] = "facex"
    self_sufficient: ClassVar[bool] = True

    def encode(
        self, clip_vision: Any, parts: FaceParts, strengths: Mapping[str, float], padding: float,
        inpaint: Tensor | None, progress: Progress | None,
    ) -> tuple[FaceRepresentation, Tensor, str]:  # fmt: skip
        reference = None if inpaint is None else as_pictures(inpaint)
        representation = encode_face(self, clip_vision, parts, reference, progress)
        return representation, parts.pictures, "\n".join(representation.notes())

    def steer(
        self, model: Any, representations: Sequence[Representation], area: Area, settings: Settings,
        progress: Progress | None,
    ) -> tuple[Any, list[tuple[Tensor, float]]]:  # fmt: skip
        if len(representations) != 1:
            raise ValueError(
                f"representations has {len(representations)}, and a FaceX controller takes exactly one; put several "
                "people into one with Face Representation Assemble, or one Face Controller Apply behind another, each "
                "with its own mask"
            )
        representation = facex_only(representations[0], "representation 1")
        mask = _face_mask(area, progress)
        return apply_facex(model, self, representation, settings, mask), [(mask, settings.strength)]

    def edit(
        self, model: Any, vae: Any, clip_vision: Any, assembly: Assembly, people: Mapping[str, FaceParts],
        settings: Settings, identity: str | None, motion: str | None, progress: Progress | None,
    ) -> tuple[Any, Any, Any, list[str]]:  # fmt: skip
        identity, motion = identity or identity_giver(assembly.regions_from), motion or TARGET
        encode = partial(encode_face, self, clip_vision)
        encoded = encode_people(encode, assembly, people, (identity, motion), progress)
        representation = assemble_facex(
            self, encoded, assembly.regions_from, encoded[assembly.base].inpaint, identity=identity, motion=motion
        )
        steered = apply_facex(model, self, representation, settings)
        return steered, *facex_prompt(self, representation), representation.notes(assembly.regions_from)


def facex_controller(controller: FaceController) -> FaceXController:
    """`controller` itself. Raises ValueError when it is of another kind."""
    if not isinstance(controller, FaceXController):
        raise ValueError(f"controller is of the kind '{controller.kind}'; needed is a FaceX controller")
    return controller


def encode_face(
    controller: FaceXController, clip_vision: Any, parts: FaceParts, inpaint: Tensor | None = None,
    progress: Progress | None = None,
) -> FaceRepresentation:  # fmt: skip
    """As `injection.facex.encode.encode_facex`, each network loaded by the host before it runs.

    `clip_vision`: the host's. The recogniser comes from the host's InsightFace folder, Deep3DFaceRecon from
    models/deep3dfacerecon; raises ValueError too when one is needed and missing.
    """
    return encode_facex(
        controller.module.config, host_encoder(clip_vision), partial(_region_tokens, controller), parts, inpaint,
        recogniser=host_recogniser, deep3d=host_deep3d, progress=progress,
    )  # fmt: skip


def assemble_facex(
    controller: FaceXController, people: Mapping[str, FaceRepresentation], regions_from: Mapping[str, str],
    inpaint: Tensor, *, identity: str, motion: str,
) -> FaceRepresentation:  # fmt: skip
    """As `injection.facex.assemble.assemble_representation`, with the controller's tokens of empty regions."""
    mm.load_models_gpu([controller.patcher])
    empty = controller.module.regions.empty
    return assemble_representation(people, regions_from, empty, inpaint, identity=identity, motion=motion)


def facex_prompt(controller: FaceXController, representation: FaceRepresentation) -> tuple[Any, Any]:
    """The controller's own tokens as positive and negative conditioning, which is FaceX's prompt."""
    mm.load_models_gpu([controller.patcher])
    with torch.no_grad():
        tokens, empty = controller.module.tokens(representation)
    return [[tokens.cpu(), {}]], [[empty.cpu(), {}]]


def apply_facex(
    model: Any, controller: FaceXController, representation: FaceRepresentation, settings: Settings,
    mask: Tensor | None = None,
) -> Any:  # fmt: skip
    """A clone of `model` whose 16 transformer blocks also attend to the face; `model` itself does not change.

    `mask`: (B or 1, H, W), 1 = where it acts. Raises ValueError when the model is of another family, the representation
    lacks what the controller was made with, or a setting is out of range.
    """
    module: FaceX = controller.module
    weights, span = _weights(settings), Span(settings.start, settings.end)
    _check_family(model, module)
    mm.load_models_gpu([controller.patcher])
    with torch.no_grad():
        tokens, empty = module.tokens(representation)
    patch = ControlPatch(
        module.control, tokens, empty, strength=settings.strength, span=span, weights=weights, mask=mask,
        owner=settings.owner,
    )  # fmt: skip
    patched = model.clone()
    patched.set_model_patch(patch.remember, "middle_patch")
    patched.set_model_attn2_output_patch(patch.add)
    keep_loaded(patched, controller)
    wrap_sampling(patched, patch)
    return patched


def _weights(settings: Settings) -> dict[str, float]:
    return read_block_weights(settings.block_weights, [block.host for block in BLOCKS])


def _region_tokens(
    controller: FaceXController, patches: Tensor, grid: tuple[int, int], masks: Tensor
) -> tuple[Tensor, Tensor]:
    mm.load_models_gpu([controller.patcher])
    device = controller.patcher.load_device
    with torch.no_grad():
        return controller.module.regions(patches.to(device), grid, masks.to(device))


def _face_mask(area: Area, progress: Progress | None) -> Tensor:
    """(B or 1, H, W) 0..1: where the target's face is, (1, 1, 1) for everywhere, within the user's mask."""
    if area.target is None:
        face = torch.ones(1, 1, 1)
    else:
        face = region_masks(area.target, WHOLE, area.grow, area.feather, progress)
    if not bool((face > 0).any()):
        raise ValueError("target has no chosen face with a region; detect a face in it, or unplug it")
    return face if area.mask is None else face * area.mask


def _check_family(model: Any, module: FaceX) -> None:
    check_fit(
        module.control.block_sizes, unet_sizes(getattr(model.model, "diffusion_model", None)), unet="model",
        adapter=f"controller is for the family '{module.config.family}'",
        advice="wire in a model or a controller of the same family",
    )  # fmt: skip
