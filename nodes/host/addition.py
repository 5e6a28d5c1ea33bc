"""An addition of `injection.fuse_any_part.addition` in a host's MODEL: whether the two fit, and the patched clone."""

from __future__ import annotations

from typing import Any

from comfy.patcher_extension import WrappersMP, add_wrapper_with_key, get_wrappers_with_key

from ...fusion.features.records import FusedFeatures
from ...injection.fuse_any_part.adapters import CROSS_ATTENTION, RESNET
from ...injection.fuse_any_part.addition import Addition
from ...injection.unet.fit import TEXT_FAMILIES, check_fit, unet_sizes
from .patcher import FuseAdapter
from .sampling import wrap_sampling

KEY = "face_part_fusion_addition"
CONTEXT = 768
CHANNELS = 9
RELEASED_GRID = (16, 16)


def patched(model: Any, adapter: FuseAdapter, addition: Addition) -> Any:
    """A clone of `model` with the addition; the adapter is loaded whenever the clone is."""
    clone = model.clone()
    for name, hook in addition.attention_patches().items():
        clone.set_model_patch(hook, name)
        if name == "attn2_output_patch":
            # First: it is part of what cross-attention gives, which others act on (a controller) and must not lose.
            patches = clone.model_options["transformer_options"]["patches"]
            patches[name] = [hook, *patches[name][:-1]]
    prefix = "diffusion_model."
    for name, forward in addition.forwards(lambda name: clone.get_model_object(prefix + name)).items():
        clone.add_object_patch(prefix + name, forward)
    wrap_sampling(clone, addition)
    add_wrapper_with_key(
        WrappersMP.DIFFUSION_MODEL, KEY, addition.around_unet, clone.model_options, is_model_options=True
    )
    clone.set_additional_models(KEY, [adapter.patcher])
    return clone


def check_fits(model: Any, adapter: FuseAdapter, fused: FusedFeatures) -> None:
    """Raises ValueError when the three were not made for each other."""
    if adapter.kind not in (CROSS_ATTENTION, RESNET):
        raise ValueError(
            f"adapter is of kind '{adapter.kind}'; Addition Inject knows '{CROSS_ATTENTION}' and '{RESNET}'. Update "
            "the pack, or load the weights with Fuse Any Part Loader"
        )
    if fused.width != adapter.width:
        raise ValueError(
            f"fused was made by {fused.encoder} with tokens {fused.width} wide; adapter needs {adapter.width}. Encode "
            "the pictures again with the CLIP vision model that the adapter was trained with (ViT-H/14 for 1280)"
        )
    if fused.mode == "released" and fused.grid != RELEASED_GRID:
        raise ValueError(
            f"fused has {fused.grid[0]} x {fused.grid[1]} cells; the released mode needs 16 x 16, which CLIP ViT-H/14 "
            "at 224 pixels gives. Encode with that model, or in practical mode"
        )
    _check_model(model, adapter)


def check_text(name: str, conditioning: Any) -> None:
    """Raises ValueError when the conditioning wired into `name` comes from another family's text encoder."""
    for text, *_ in conditioning or ():
        width = getattr(text, "shape", (CONTEXT,))[-1]
        if width != CONTEXT:
            came = TEXT_FAMILIES.get(width, "another family")
            raise ValueError(
                f"{name} holds text {width} wide, which {came} has; this model is SD1.5 and reads text {CONTEXT} wide. "
                "Encode the prompt with the CLIP of an SD1.5 checkpoint"
            )


def _check_model(model: Any, adapter: FuseAdapter) -> None:
    unet = model.get_model_object("diffusion_model")
    check_fit(
        adapter.module.block_sizes, unet_sizes(unet), adapter="adapter is FuseAnyPart's",
        unet=f"model ({type(model.model.model_config).__name__})",
        advice="connect the SD1.5 model that Fuse Any Part Loader gives",
    )  # fmt: skip
    if unet.in_channels != CHANNELS:
        raise ValueError(
            f"model takes {unet.in_channels} input channels and {CHANNELS} are needed: an ordinary checkpoint does not "
            "see the masked target. Connect the model that Fuse Any Part Loader gives"
        )
    if get_wrappers_with_key(WrappersMP.DIFFUSION_MODEL, KEY, model.model_options, is_model_options=True):
        raise ValueError(
            "model already carries the features of another Addition Inject; connect the model that Fuse Any Part "
            "Loader gives. For several faces, cut each out and give it a sampling of its own"
        )
