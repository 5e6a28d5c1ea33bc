"""`face-part-fusion swap --weights`: FuseAnyPart's model makes the parts, on the photographs themselves."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..detectors.parts import FaceParts
from ..fusion.composite import WARPS, PartReference
from ..fusion.crop import crop_faces, paste_back
from ..fusion.features.encode import Encoder, Framing, encode_reference, encode_target
from ..fusion.features.fuse import fuse_features
from ..fusion.features.records import MODES, FusedFeatures
from ..fusion.masks import part_masks
from ..injection.files.weight_file import weight_path
from ..injection.fuse_any_part.checkpoint import ADVICE, load_checkpoint
from ..injection.fuse_any_part.diffusers_models import (
    ENCODER,
    INSTALL,
    build_adapter,
    build_unet,
    diffusers,
    load_encoder,
    load_vae,
    transformers,
)
from ..injection.fuse_any_part.diffusers_pipeline import Sampling, generate
from ..injection.fuse_any_part.diffusers_unet import Injection

_PUBLISHED = "fap.bin of Thomas-Tom/FuseAnyPart"
_SIZE = 512
# At this room around an upright face eyes and mouth are as large as in the published samples: 120 pixels apart.
_PADDING = 0.4
# Crop pixels beyond the boxes over which the new face fades into the photograph.
_FADE = 24
_MODEL_OPTIONS = ("base", "encoder", "mode", "steps", "guidance", "seed")
_PIXEL_OPTIONS = {"warp": WARPS[0], "tone": 1.0, "grow": 1.0}


def add_fuse_options(swap: argparse.ArgumentParser) -> None:
    model = swap.add_argument_group("FuseAnyPart", f"let a diffusion model make the parts; needs {INSTALL}")
    model.add_argument("--weights", metavar="FAP.bin", help=f"{_PUBLISHED}, a conversion, or a training folder")
    model.add_argument("--base", metavar="DIR", help="an SD1.5 model in diffusers' layout; its vae is used")
    model.add_argument("--encoder", metavar="DIR", help="IP-Adapter's models/image_encoder; default DIR/image_encoder")
    model.add_argument(
        "--mode", choices=MODES[::-1], help="as published (default), or finer masks; no prompt in either"
    )
    model.add_argument("--steps", type=int, help="sampling steps, default 50")
    model.add_argument("--guidance", type=float, help="how far from an empty picture's features, default 7.5")
    model.add_argument("--seed", type=int, help="another number, another picture; default 0")


def check_fuse_options(options: argparse.Namespace) -> None:
    """Raises ValueError for options that do nothing here, and for a model without its base."""
    if not options.weights:
        for name in _MODEL_OPTIONS:
            if getattr(options, name) is not None:
                raise ValueError(f"--{name} is for FuseAnyPart's model; add --weights FAP.bin, or leave it out")
        return
    for name, default in _PIXEL_OPTIONS.items():
        if getattr(options, name) != default:
            raise ValueError(f"--{name} is for fusing pixels and does nothing with --weights; leave one of them out")
    if not options.base:
        raise ValueError("--weights needs --base DIR, an SD1.5 model in diffusers' layout")


def fuse_photographs(
    options: argparse.Namespace, target: FaceParts, references: Sequence[PartReference], mask: Tensor | None
) -> Tensor:
    """The target's pictures (B, H, W, 3) with the parts that FuseAnyPart makes of the references' features.

    `mask`: (1, H, W) of the target's size, 1 = may change. Raises ModuleNotFoundError, FileNotFoundError or ValueError
    with a sentence on what is missing or does not fit.
    """
    for package in (diffusers, transformers):
        package()
    tqdm, path, sampling, place = _tqdm(), _weights(options.weights), _sampling(options), _place()
    vae = load_vae(Path(options.base), *place)
    folder = Path(options.encoder or Path(options.base) / "image_encoder")
    _, face, crop = crop_faces(target, _SIZE, padding=_PADDING)
    fused = _fused(load_encoder(folder, *place), face, references, Framing(options.mode or "released"))
    checkpoint = load_checkpoint(path)
    if fused.width != checkpoint.width:
        raise ValueError(f"{folder} is {fused.width} wide, but {path} needs {checkpoint.width}; take {ENCODER}")
    with Injection(build_unet(checkpoint, *place), build_adapter(checkpoint, *place)) as injection:
        del checkpoint
        with tqdm(total=sampling.steps, desc="face-part-fusion swap", unit="step") as bar:
            made = generate(vae, injection, fused, sampling, bar.update)
    pasted, _ = paste_back(made, crop, _changed(fused, face))
    return pasted if mask is None else torch.lerp(target.pictures, pasted, mask[..., None])


def _fused(encoder: Encoder, face: FaceParts, references: Sequence[PartReference], framing: Framing) -> FusedFeatures:
    references = [reference for reference in references if any(reference.strengths.values())]
    made = {part: 1.0 for reference in references for part in reference.strengths}
    target, _ = encode_target(face, encoder, made, framing)
    given = []
    for reference in references:
        cropped = crop_faces(reference.parts, _SIZE, padding=_PADDING)[1]
        features, _ = encode_reference(cropped, encoder, reference.strengths, framing)
        given.append(replace(features, name=reference.name))
    return fuse_features(target, given)


def _changed(fused: FusedFeatures, face: FaceParts) -> Tensor:
    """(1, s, s) over the crop, soft: what is pasted. Around the published boxes the crop was made anew as it was."""
    if fused.mode != "released":
        return fused.target.mask
    return part_masks(face, list(fused.parts), shape="stacked boxes", grow=_FADE / 2, feather=_FADE)


def _sampling(options: argparse.Namespace) -> Sampling:
    given = {name: getattr(options, name) for name in ("steps", "guidance", "seed")}
    return Sampling(**{name: value for name, value in given.items() if value is not None})


def _weights(path: str) -> Path:
    try:
        return weight_path(path, ADVICE)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; --weights takes {_PUBLISHED}") from None


def _place() -> tuple[torch.device, torch.dtype]:
    if torch.cuda.is_available():
        return torch.device("cuda"), torch.float16
    return torch.device("cpu"), torch.float32


def _tqdm() -> Callable[..., Any]:
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"--weights shows its progress with tqdm; run: {INSTALL}") from None
    return tqdm
