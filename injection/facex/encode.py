"""Faces -> what a FaceX controller attends to, by networks that the caller brings; no host is needed.

arXiv 2401.00551, section 3.2: patch tokens of an encoder, averaged over each region; identity; motion.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from torch import Tensor

from ...detectors.motion import motion_of
from ...detectors.parts import FaceParts
from ...detectors.progress import Progress, stages
from ...fusion.crop import crop_faces
from ...fusion.features.encoder import Encoder, tokens_of
from ...fusion.features.part_pictures import chosen_faces, faces_of_giver
from ...fusion.features.pixel_values import close_pixels
from ...fusion.regions.assembly import Assembly
from ...fusion.regions.tasks import ANEW
from ..faces.deep3d import deep3d_motion
from ..faces.deep3d_network import Deep3DNetwork
from ..faces.identity import RECOGNISER, Recogniser, identity_tokens
from ..faces.motion_groups import DEEP3D, WIDTHS
from .adapters import VISION, fits
from .model import FaceXConfig, providers_of
from .region_tokens import disjoint_masks
from .representation import FaceRepresentation

# Margin per side around the face in the encoder's square, in face sizes: room for hair and background.
MARGIN = 0.5

# Patch tokens (B, h*w, C), their grid (h, w), masks (B, R, H, W) -> region tokens (B, R, C), present (B, R).
RegionEncoder = Callable[[Tensor, tuple[int, int], Tensor], tuple[Tensor, Tensor]]
# Faces of one person, their inpainting reference (None: their own pictures), progress -> their representation.
FaceEncoder = Callable[[FaceParts, Tensor | None, Progress | None], FaceRepresentation]


def encode_facex(
    config: FaceXConfig, encoder: Encoder, regions: RegionEncoder, parts: FaceParts, inpaint: Tensor | None = None, *,
    recogniser: Callable[[], Recogniser], deep3d: Callable[[], Deep3DNetwork], progress: Progress | None = None,
) -> FaceRepresentation:  # fmt: skip
    """The representations that a controller of this `config` takes, of the chosen face of every picture.

    `encoder`: the one that the controller was made with, CLIP ViT-L/14 at 224 pixels.
    `regions`: a `FaceX.regions`, or a function that loads it first.
    `inpaint`: (B, H, W, 3) 0..1, the inpainting reference in the frame of `parts`' pictures, of which a single one
    serves several references; the pictures themselves unless given.
    `recogniser`, `deep3d`: give the network, ready to run; called only where the controller was made with it.
    Raises ValueError when a picture has no face, the inpainting reference has another shape, or the controller was
    made with another encoder, recogniser or provider.
    """
    providers = providers_of(config)
    _check_providers(encoder, providers)
    chosen_faces(parts)
    reference = parts if inpaint is None else _with_pictures(parts, inpaint)
    if len(parts) == 1:
        parts = _repeated(parts, len(reference))
    identifier = _recogniser(providers, recogniser()) if "identity" in providers else None
    reconstructor = deep3d() if providers.get("motion") == DEEP3D else None
    viewing, masking, identifying, moving, referring = stages(progress, 5)
    patches, in_view = _patches(encoder, parts, viewing)
    tokens, present = regions(patches, encoder.grid, disjoint_masks(in_view, masking))
    return FaceRepresentation(
        regions=tokens.to(patches),
        present=present.to(patches.device),
        identity=None if identifier is None else identity_tokens(identifier.network, parts, identifying),
        motion=motion_of(parts) if reconstructor is None else deep3d_motion(reconstructor, parts, moving),
        inpaint=patches if inpaint is None else _patches(encoder, reference, referring)[0],
        providers=providers if identifier is None else {**providers, "identity": identifier.name},
    )


def encode_people(
    encode: FaceEncoder, assembly: Assembly, people: Mapping[str, FaceParts], givers: Collection[str],
    progress: Progress | None = None,
) -> dict[str, FaceRepresentation]:  # fmt: skip
    """Giver -> representation, of everybody who gives a region of `assembly` and of `givers`.

    The base's has the assembled picture as its inpainting reference. Raises ValueError as `encode` does, and naming
    the giver for one without a face.
    """
    needed = {*givers, *assembly.regions_from.values()} - {ANEW, assembly.base}
    order = [assembly.base, *(giver for giver in people if giver in needed)]
    encoded = {}
    for giver, stage in zip(order, stages(progress, len(order)), strict=True):
        faces_of_giver(giver, people[giver])
        encoded[giver] = encode(people[giver], assembly.picture if giver == assembly.base else None, stage)
    return encoded


def _check_providers(encoder: Encoder, providers: Mapping[str, str]) -> None:
    """Raises ValueError when the controller was made with other networks than those that this pack runs."""
    if encoder.name != providers["region"]:
        raise ValueError(
            f"clip_vision is {encoder.name}; the controller was trained with {providers['region']}. Load that one (for "
            f"{VISION} clip-vit-large-patch14 in models/clip_vision), or take another controller"
        )
    makers = {"region": (encoder.name,), "inpaint": (encoder.name,), "identity": (RECOGNISER,), "motion": (*WIDTHS,)}
    for name, provider in providers.items():
        ours = makers.get(name, tuple(WIDTHS))
        if name not in makers or not any(fits(own, provider) for own in ours):
            together = "" if name in makers else ", for all groups of motion together"
            raise ValueError(
                f"controller was trained with the representation '{name}' from {provider}, which this pack makes with "
                f"{' or '.join(ours)}{together}; take a controller that was trained with that"
            )


def _recogniser(providers: Mapping[str, str], recogniser: Recogniser) -> Recogniser:
    if not fits(providers["identity"], recogniser.name):
        raise ValueError(
            f"controller was trained with the recogniser {providers['identity']}, and {recogniser.path} is "
            f"{recogniser.name}, whose numbers mean something else; put the file that it was trained with there, or "
            "take another controller"
        )
    return recogniser


def _repeated(parts: FaceParts, count: int) -> FaceParts:
    """One picture's faces for `count` pictures."""
    pictures = parts.pictures.expand(count, -1, -1, -1)
    return FaceParts(pictures, parts.faces * count, parts.chosen * count, parts.detector)


def _with_pictures(parts: FaceParts, inpaint: Tensor) -> FaceParts:
    """The inpainting reference with the faces of the pictures that it was made from."""
    repeated = _repeated(parts, len(inpaint)) if len(parts) == 1 else parts
    if inpaint.shape != repeated.pictures.shape:
        raise ValueError(
            f"the inpainting reference has shape {tuple(inpaint.shape)} and the pictures of parts "
            f"{tuple(parts.pictures.shape)}; needed are the same size and as many references, or one picture"
        )
    return replace(repeated, pictures=inpaint)


def _patches(encoder: Encoder, parts: FaceParts, progress: Progress | None) -> tuple[Tensor, FaceParts]:
    """Patch tokens (B, h*w, C) of an upright square around each face, and the faces in the square's pixels."""
    cropping, encoding = stages(progress, 2)
    crops, in_view, _ = crop_faces(parts, encoder.covered_side, "upright", MARGIN, cropping)
    tokens = tokens_of(encoder, close_pixels(crops, encoder), encoding)
    return tokens[:, encoder.classes :], in_view
