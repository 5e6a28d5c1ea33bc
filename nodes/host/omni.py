"""What OmniRepresentationCondition does with the host's objects beside steering: fit, hold, condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import node_helpers
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...detectors.given import mask_per_picture
from ...detectors.parts import FaceParts
from ...injection.sampling.masked_fusion import make_layer
from .masked_fusion import add_layer

KEY = "face_part_fusion.inpainting"


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


def hold(model: Any, vae: Any, original: Tensor, mask: Tensor, owner: str) -> Any:
    """A clone of `model` that keeps the original (B or 1, H, W, 3) wherever the mask is black."""
    return add_layer(model, make_layer(vae.encode(original), mask, 0.0, 1.0, True, owner))


class InpaintingInputs:
    """OUTER_SAMPLE: gives what inpainting models take beside the latent to every conditioning that lacks it.

    So the prompts may also be wired past the node that makes the model. `extra`: mask and masked picture by the host's
    names for them.
    """

    def __init__(self, extra: Mapping[str, Tensor]) -> None:
        self.extra = dict(extra)

    def __call__(self, executor: Any, *arguments: Any, **named: Any) -> Any:
        # Copies, which the host makes for each sampling run.
        for entries in executor.class_obj.conds.values():
            for entry in entries:
                if not self.extra.keys() & entry.keys():
                    entry.update(self.extra)
        return executor(*arguments, **named)


def for_inpainting(model: Any, vae: Any, picture: Tensor, mask: Tensor, *conditionings: Any) -> list[Any]:
    """A clone of `model`, and the conditionings, with what inpainting models take beside the latent.

    That is the mask, and the picture with grey where it is white.
    """
    hard = mask.round()[..., None]
    extra = {
        "concat_latent_image": vae.encode(picture * (1 - hard) + 0.5 * hard), "concat_mask": mask[:, None],
    }  # fmt: skip
    clone = model.clone()
    # Of two such nodes in a row the later one's picture counts.
    clone.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, KEY)
    clone.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, InpaintingInputs(extra))
    return [clone, *(node_helpers.conditioning_set_values(conditioning, extra) for conditioning in conditionings)]
