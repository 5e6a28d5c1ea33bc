"""What OmniRepresentationCondition does with the host's objects: encode, condition, steer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import node_helpers
from torch import Tensor

from ...detectors.given import mask_per_picture
from ...detectors.parts import FaceParts
from ...detectors.progress import Progress, stages
from ...fusion.features.part_crops import encode_crops
from ...fusion.features.part_pictures import chosen_faces
from ...fusion.regions.assembly import Assembly
from ...fusion.regions.tasks import ANEW, MORE_SOURCES, PART_OF, SOURCE, TARGET
from ...injection.facex.representation import FaceRepresentation
from ...injection.ip_adapter.givers import identity_giver, steer_regions, steered_regions, unsteered
from ...injection.ip_adapter.regional_attention import Steering
from ...injection.sampling.masked_fusion import make_layer
from ...injection.unet.block_weights import read_block_weights
from ...injection.unet.blocks import BLOCKS
from ..host_controller import FACEX, FaceController
from .attention import check_encoders, steer_model
from .encoder import host_encoder
from .facex import apply_facex, assemble_facex, encode_facex, facex_notes, facex_prompt
from .masked_fusion import add_layer

# The node whose patches these are, for messages during sampling.
OWNER = "Omni Representation Condition"
# Regions of IP-Adapter references reach a little beyond the part and fade out, in shares of the face.
GROW, FEATHER, PADDING = 0.05, 0.1, 0.25

People = Mapping[str, FaceParts]


def people_of(target: FaceParts, source: FaceParts | None, others: Sequence[FaceParts | None]) -> dict[str, FaceParts]:
    """Giver, by its name in fusion.regions.tasks, -> who is wired in for it."""
    named = {TARGET: target, SOURCE: source, **dict(zip(MORE_SOURCES, others, strict=True))}
    return {giver: parts for giver, parts in named.items() if parts is not None}


def mask_of_base(mask: Tensor, base: FaceParts, name: str) -> Tensor:
    """A MASK wire as (B, H, W) on the pictures that are changed."""
    try:
        return mask_per_picture(mask, base.pictures)
    except ValueError as problem:
        raise ValueError(f"{problem} (here the pictures are the {name}'s, which this task changes)") from None


def fit_to_cells(vae: Any, *pictures: Tensor) -> list[Tensor]:
    """Each (B, H, W) or (B, H, W, 3) cut, about its middle, to whole latent cells, as the host's VAE would cut it.

    Raises ValueError for a picture that is smaller than one cell.
    """
    cell = int(vae.spacial_compression_encode())
    fitted = []
    for picture in pictures:
        height, width = picture.shape[1:3]
        if min(height, width) < cell:
            raise ValueError(
                f"the picture is {width} x {height} pixels, and one cell of this VAE's latent {cell} x {cell}; take a "
                "larger picture, such as crop_parts of Face Crop (Aligned)"
            )
        for dimension, length in ((1, height), (2, width)):
            picture = picture.narrow(dimension, length % cell // 2, length // cell * cell)
        fitted.append(picture)
    return fitted


def hold(model: Any, vae: Any, original: Tensor, mask: Tensor) -> Any:
    """A clone of `model` that keeps the original (B or 1, H, W, 3) wherever the mask is black."""
    return add_layer(model, make_layer(vae.encode(original), mask, 0.0, 1.0, True, OWNER))


def for_inpainting(vae: Any, picture: Tensor, mask: Tensor, *conditionings: Any) -> list[Any]:
    """What models trained for inpainting see beside the latent: the mask, and the picture with grey in its place."""
    hard = mask.round()[..., None]
    seen = {
        "concat_latent_image": vae.encode(picture * (1 - hard) + 0.5 * hard), "concat_mask": mask[:, None],
    }  # fmt: skip
    return [node_helpers.conditioning_set_values(conditioning, seen) for conditioning in conditionings]


@dataclass(frozen=True)
class How:
    """What the node's inputs say of steering. `identity`, `motion`: who gives it to FaceX, None: as the task has it."""

    strength: float
    start: float
    end: float
    identity: str | None
    motion: str | None
    block_weights: str


def steered(
    model: Any, vae: Any, controller: FaceController, clip_vision: Any, assembly: Assembly, people: People, how: How,
    progress: Progress | None = None,
) -> tuple[Any, Any, Any, list[str]]:  # fmt: skip
    """The steered clone; for FaceX the conditioning that stands for a prompt, positive and negative, else None; notes.

    The notes are lines for the report: what is given and steers nothing.
    """
    if controller.kind == FACEX:
        weights = read_block_weights(how.block_weights, [block.host for block in BLOCKS])
        representation = facex_representation(controller, clip_vision, assembly, people, how, progress)
        clone = apply_facex(model, controller, representation, how.strength, how.start, how.end, weights, owner=OWNER)
        notes = facex_notes(representation, assembly.regions_from)
        return clone, *facex_prompt(controller, representation), notes
    steerings = part_steerings(vae, controller, clip_vision, assembly, people, how.strength, progress)
    clone = steer_model(
        model, controller, steerings, block_weights=how.block_weights, start=how.start, end=how.end, owner=OWNER
    )  # fmt: skip
    left = unsteered(assembly.regions_from, assembly.base, steerings)
    return clone, None, None, [f"hidden or not known, so not steered: {', '.join(left)}"] if left else []


def part_steerings(
    vae: Any, controller: FaceController, clip_vision: Any, assembly: Assembly, people: People, strength: float,
    progress: Progress | None = None,
) -> list[Steering]:  # fmt: skip
    """For an IP-Adapter: every region that is not the base's own, from its giver, where it lies in the latent.

    Regions of which nothing can be seen on the giver or on the base are left out. Raises ValueError when there is none,
    for a giver without a face and for another encoder than the adapter's.
    """
    *each, last = stages(progress, len(people) + 1)
    given = {
        giver: _part_tokens(clip_vision, parts, regions, told)
        for (giver, parts), told in zip(people.items(), each, strict=True)
        if giver != assembly.base and (regions := _seen_regions(giver, parts, assembly))
    }  # fmt: skip
    if not given:
        raise ValueError(
            f"controller is an IP-Adapter, and nobody but the {assembly.base} gives a region of the {assembly.base}'s "
            "face that can be seen, so there is nothing to steer with; give regions to somebody else, or unplug the "
            "controller"
        )
    check_encoders(controller, list(given.values()))
    base = people[assembly.base]
    steerings = steer_regions(
        given, assembly.regions_from, base, strength=strength, grow=GROW, feather=FEATHER, progress=last
    )
    # The latent lacks what fit_to_cells cuts off.
    return [Steering(s.name, s.tokens, s.unconditioned, fit_to_cells(vae, s.mask)[0], s.strength) for s in steerings]


def _seen_regions(giver: str, parts: FaceParts, assembly: Assembly) -> list[str]:
    """What `giver` gives and every one of its faces shows."""
    given = steered_regions(assembly.regions_from, giver)
    if given:
        _check_faces(giver, parts)
    return [region for region in given if all(face.shows(PART_OF[region]) for face in chosen_faces(parts))]


def _part_tokens(
    clip_vision: Any, parts: FaceParts, regions: Sequence[str], progress: Progress | None
) -> FaceRepresentation:
    encoder, strengths = host_encoder(clip_vision), {PART_OF[region]: 1.0 for region in regions}
    tokens, unconditioned, _ = encode_crops(parts, encoder, strengths, PADDING, progress)
    return FaceRepresentation(tokens, unconditioned, strengths, encoder.name)


def facex_representation(
    controller: FaceController, clip_vision: Any, assembly: Assembly, people: People, how: How,
    progress: Progress | None = None,
) -> FaceRepresentation:  # fmt: skip
    """Regions as assembled; unless told otherwise identity of the source, pose, expression and gaze of the target.

    Raises ValueError when one of them is not there or has no face, and for another encoder than the controller's.
    """
    identity, motion = how.identity or identity_giver(assembly.regions_from), how.motion or TARGET
    needed = {identity, motion, *assembly.regions_from.values()} - {ANEW, assembly.base}
    wanted = [giver for giver in people if giver in needed]
    first, *others = stages(progress, 1 + len(wanted))
    base = _encoded(controller, clip_vision, assembly.base, people, assembly.picture, first)
    givers = {
        giver: _encoded(controller, clip_vision, giver, people, None, told)
        for giver, told in zip(wanted, others, strict=True)
    }
    everybody = {**givers, assembly.base: base}
    return assemble_facex(
        controller, everybody, assembly.regions_from, base.inpaint, identity=identity, motion=motion
    )  # fmt: skip


def _encoded(
    controller: FaceController, clip_vision: Any, giver: str, people: People, inpaint: Tensor | None = None,
    progress: Progress | None = None,
) -> FaceRepresentation:  # fmt: skip
    _check_faces(giver, people[giver])
    return encode_facex(controller, clip_vision, people[giver], inpaint, progress)


def _check_faces(giver: str, parts: FaceParts) -> None:
    try:
        chosen_faces(parts)
    except ValueError as problem:
        raise ValueError(f"the controller takes the face of the {giver}, but {problem}") from None
