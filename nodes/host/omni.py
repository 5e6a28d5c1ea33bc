"""What OmniRepresentationCondition does with the host's objects beside steering: fit, hold, condition."""

from __future__ import annotations

from typing import Any

import node_helpers
from torch import Tensor

from ...detectors.given import mask_per_picture
from ...detectors.parts import FaceParts
from ...injection.sampling.masked_fusion import make_layer
from .masked_fusion import add_layer


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


def for_inpainting(vae: Any, picture: Tensor, mask: Tensor, *conditionings: Any) -> list[Any]:
    """The conditionings with what inpainting models take beside the latent: mask, and the picture with grey there."""
    hard = mask.round()[..., None]
    extra = {
        "concat_latent_image": vae.encode(picture * (1 - hard) + 0.5 * hard), "concat_mask": mask[:, None],
    }  # fmt: skip
    return [node_helpers.conditioning_set_values(conditioning, extra) for conditioning in conditionings]
