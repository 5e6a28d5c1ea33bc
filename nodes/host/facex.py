"""FaceX's controller in the host: load its weights, encode faces for it, apply it to a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import comfy.model_management as mm
import comfy.ops
import torch
from torch import Tensor

from ...detectors.motion import motion_of
from ...detectors.parts import FaceParts
from ...detectors.progress import Progress, stages
from ...fusion.crop import crop_faces
from ...fusion.features.encoder import Encoder, tokens_of
from ...fusion.features.part_pictures import chosen_faces
from ...fusion.features.pixel_values import close_pixels
from ...fusion.regions.tasks import ANEW
from ...injection.faces.deep3d import deep3d_motion
from ...injection.faces.identity import identity_tokens
from ...injection.faces.motion_groups import DEEP3D, WIDTHS
from ...injection.facex.adapters import RECOGNISER, VISION, fits
from ...injection.facex.assemble import assemble_representation
from ...injection.facex.file import build_controller
from ...injection.facex.model import FaceX, providers_of
from ...injection.facex.patch import ControlPatch
from ...injection.facex.region_tokens import disjoint_masks
from ...injection.facex.representation import FaceRepresentation
from ...injection.sampling.span import Span
from ...injection.unet.fit import check_fit, unet_sizes
from ..host_controller import FACEX, FaceController
from ..host_deep3d import host_deep3d
from .attention import keep_loaded
from .encoder import host_encoder
from .fingerprints import Stamp, stamps
from .folders import deep3d_path
from .networks import Recogniser, host_recogniser, recogniser_path
from .patcher import managed
from .sampling import wrap_sampling

# The encoder sees an upright square with room for hair and background: so many face sizes on each side.
ROOM = 0.5


def load_facex(
    weights: Mapping[str, Tensor], metadata: Mapping[str, str] | None, path: str = "the controller file"
) -> FaceController:
    """The contents of a controller file, checked, under the host's memory management.

    Raises ValueError when the file is no FaceX controller, or not whole.
    """
    dtype = next(iter(weights.values())).dtype if weights else torch.float32
    place = {"device": mm.unet_offload_device(), "dtype": dtype}
    module = build_controller(weights, metadata, path, ops=comfy.ops.manual_cast, **place).eval()
    variant = ", ".join(f"{name} from {provider}" for name, provider in providers_of(module.config).items())
    return FaceController(FACEX, module.config.family, variant, managed(module, dict(weights)))


def encode_facex(
    controller: FaceController,
    clip_vision: Any,
    parts: FaceParts,
    inpaint: Tensor | None = None,
    progress: Progress | None = None,
) -> FaceRepresentation:
    """The representations that `controller` takes, of the chosen face of every picture.

    `clip_vision`: the host's, of CLIP ViT-L/14 at 224 pixels. `inpaint`: (B, H, W, 3), the inpainting reference in
    the frame of `parts`' pictures (one picture serves several references); the pictures themselves unless given.
    Identity tokens are made when the controller was made with them, with the recogniser in the host's InsightFace
    folder; motion as the controller says, from the landmarks or with the network in models/deep3dfacerecon. Raises
    ValueError when a picture has no face, the encoder is another, or a network is missing.
    """
    module = _module(controller)
    providers = providers_of(module.config)
    encoder = host_encoder(clip_vision)
    _check_encoder(encoder, providers["region"])
    _check_providers(encoder, providers)
    chosen_faces(parts)
    reference = parts if inpaint is None else _framed(parts, inpaint)
    if len(parts) == 1:
        parts = _repeated(parts, len(reference))
    recogniser = _recogniser(providers) if "identity" in providers else None
    deep3d = host_deep3d() if providers.get("motion") == DEEP3D else None
    looking, outlining, knowing, moving, referring = stages(progress, 5)
    seen, moved = _seen(encoder, parts, looking)
    regions, present = _regions(controller, seen, encoder.grid, disjoint_masks(moved, outlining))
    identity = None if recogniser is None else identity_tokens(recogniser.module, parts, knowing)
    if recogniser is not None:
        providers = {**providers, "identity": recogniser.name}
    motion = motion_of(parts) if deep3d is None else deep3d_motion(deep3d, parts, moving)
    return FaceRepresentation(
        encoder=encoder.name, regions=regions, present=present, identity=identity, motion=motion,
        inpaint=seen if inpaint is None else _seen(encoder, reference, referring)[0], providers=providers,
    )  # fmt: skip


def assemble_facex(
    controller: FaceController, people: Mapping[str, FaceRepresentation], regions_from: Mapping[str, str],
    inpaint: Tensor, *, identity: str, motion: str,
) -> FaceRepresentation:  # fmt: skip
    """What the controller attends to, as facex_steering.assemble_representation puts it together."""
    module = _module(controller)
    mm.load_models_gpu([controller.patcher])
    return assemble_representation(
        people, regions_from, module.regions.empty, inpaint, identity=identity, motion=motion
    )


def facex_prompt(controller: FaceController, representation: FaceRepresentation) -> tuple[Any, Any]:
    """The controller's own tokens as positive and negative conditioning, which is FaceX's prompt."""
    mm.load_models_gpu([controller.patcher])
    with torch.no_grad():
        tokens, empty = _module(controller).tokens(representation)
    return [[tokens.cpu(), {}]], [[empty.cpu(), {}]]


def facex_notes(representation: FaceRepresentation, regions_from: Mapping[str, str] | None = None) -> list[str]:
    """For a report: the regions of which the controller knows nothing though somebody gives them."""
    given = [r for r in representation.empty_regions() if (regions_from or {}).get(r) != ANEW]
    return [f"no pixels, so the controller's empty token stands for: {', '.join(given)}"] if given else []


def networks_on_disk() -> tuple[Stamp, ...]:
    """What `encode_facex` reads from disk."""
    return stamps(lambda: [str(recogniser_path())]) + stamps(lambda: [deep3d_path()])


def apply_facex(
    model: Any, controller: FaceController, representation: FaceRepresentation, strength: float = 1.0,
    start: float = 0.0, end: float = 1.0, block_weights: Mapping[str, float] | None = None, mask: Tensor | None = None,
    owner: str = "FaceX",
) -> Any:  # fmt: skip
    """A clone of `model` whose 16 transformer blocks also attend to the face; `model` itself does not change.

    `start`, `end`: the part of the sampling, 0..1, in which it acts. `block_weights`: block name (`blocks.BLOCKS`) ->
    factor on `strength`. `mask`: (B or 1, H, W), 1 = where it acts. `owner`: the node, for messages during sampling.
    Raises ValueError when the model is of another family, or the representation lacks what the controller was made
    with.
    """
    module = _module(controller)
    _check_family(model, module)
    mm.load_models_gpu([controller.patcher])
    with torch.no_grad():
        tokens, empty = module.tokens(representation)
    patch = ControlPatch(
        module.control, tokens, empty, strength=strength, span=Span(start, end), weights=block_weights, mask=mask,
        owner=owner,
    )  # fmt: skip
    patched = model.clone()
    patched.set_model_patch(patch.remember, "middle_patch")
    patched.set_model_attn2_output_patch(patch.add)
    keep_loaded(patched, controller)
    wrap_sampling(patched, patch)
    return patched


def _module(controller: FaceController) -> FaceX:
    if controller.kind != FACEX:
        raise ValueError(f"controller is of the kind '{controller.kind}'; needed is a FaceX controller")
    return controller.module


def _check_encoder(encoder: Encoder, provider: str) -> None:
    if encoder.name != provider:
        raise ValueError(
            f"clip_vision is {encoder.name}; the controller was trained with {provider}. Load that one (for {VISION} "
            "clip-vit-large-patch14 in models/clip_vision), or take another controller"
        )


def _check_providers(encoder: Encoder, providers: Mapping[str, str]) -> None:
    """A controller that was trained with other models than those here must not be fed what looks alike."""
    one = {"region": encoder.name, "inpaint": encoder.name, "identity": RECOGNISER}
    for name, provider in providers.items():
        here = (one[name],) if name in one else tuple(WIDTHS)
        if not any(fits(own, provider) for own in here) or name not in (*one, "motion"):
            alone = "" if name in (*one, "motion") else ", for all groups of motion together"
            raise ValueError(
                f"controller was trained with the representation '{name}' from {provider}, which this pack makes with "
                f"{' or '.join(here)}{alone}; take a controller that was trained with that"
            )


def _recogniser(providers: Mapping[str, str]) -> Recogniser:
    """The user's. Raises ValueError when the controller was trained with another one."""
    found = host_recogniser()
    if not fits(providers["identity"], found.name):
        raise ValueError(
            f"controller was trained with the recogniser {providers['identity']}, and {found.path} is {found.name}, "
            "whose numbers mean something else; put the file that it was trained with there, or take another controller"
        )
    return found


def _repeated(parts: FaceParts, count: int) -> FaceParts:
    """One picture's faces for `count` pictures."""
    pictures = parts.pictures.expand(count, -1, -1, -1)
    return FaceParts(pictures, parts.faces * count, parts.chosen * count, parts.detector)


def _framed(parts: FaceParts, inpaint: Tensor) -> FaceParts:
    """The inpainting reference with the faces of the pictures that it was made from."""
    repeated = _repeated(parts, len(inpaint)) if len(parts) == 1 else parts
    if inpaint.shape != repeated.pictures.shape:
        raise ValueError(
            f"the inpainting reference has shape {tuple(inpaint.shape)} and the pictures of parts "
            f"{tuple(parts.pictures.shape)}; needed are the same size and as many references, or one picture"
        )
    return replace(repeated, pictures=inpaint)


def _seen(encoder: Encoder, parts: FaceParts, progress: Progress | None) -> tuple[Tensor, FaceParts]:
    """Patch tokens (B, h*w, width) of a square around each face, and its parts there."""
    cropping, encoding = stages(progress, 2)
    crops, moved, _ = crop_faces(parts, encoder.covered_side, "upright", ROOM, cropping)
    tokens = tokens_of(encoder, close_pixels(crops, encoder), encoding)
    return tokens[:, encoder.classes :], moved


def _regions(controller: FaceController, seen: Tensor, grid: tuple[int, int], masks: Tensor) -> tuple[Tensor, Tensor]:
    mm.load_models_gpu([controller.patcher])
    module, device = controller.module, controller.patcher.load_device
    with torch.no_grad():
        tokens, present = module.regions(seen.to(device), grid, masks.to(device))
    return tokens.float().to(seen.device), present.to(seen.device)


def _check_family(model: Any, module: FaceX) -> None:
    check_fit(
        module.control.block_sizes, unet_sizes(getattr(model.model, "diffusion_model", None)), unet="model",
        adapter=f"controller is for the family '{module.config.family}'",
        advice="wire in a model or a controller of the same family",
    )  # fmt: skip
