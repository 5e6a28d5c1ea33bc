"""Photographs -> what the VAE and the picture encoder make of them, once, a file each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ...detectors.builtin import BuiltinDetector
from ...detectors.find import find_faces
from ...detectors.selection import FaceMissing, choose
from ...fusion.features.cells import cells_of, paste_cells
from ...fusion.features.encode import Framing, encode_reference, encode_target
from ...fusion.features.encoder import Encoder
from ...fusion.features.records import RELEASED_PARTS
from ...injection.fuse_any_part.latents import SCALE, Encode, mask_of, reference_of, resize_pictures
from ..dataset.read import Sample

_RELEASED = "released"
# Side of the pictures in pixels, as published.
SIZE = 512
_FACE, _EMPTY = "face", "empty"


@dataclass(frozen=True, eq=False)
class Photograph:
    """One of them; latents in the UNet's scale.

    `latent`: (4, h, w), of the photograph. `painted`: (4, h, w), with its parts painted out.
    `mask`: (1, h, w), 1 where the parts lie.
    `tokens`: "face" (of the painted photograph), and each part -> (classes + cells, width).
    `boxes`: part -> (4,), y0, x0, y1, x1 in 0..1.
    """

    latent: Tensor
    painted: Tensor
    mask: Tensor
    tokens: Mapping[str, Tensor]
    boxes: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Stored:
    """Photographs on the disk. `people`: of each the files. `empty`: tokens of pixels that are all zero."""

    people: tuple[tuple[Path, ...], ...]
    empty: Tensor
    grid: tuple[int, int]


def prepare(
    samples: Iterator[Sample], folder: Path, encoder: Encoder, encode: Encode, progress: Callable[[int], None]
) -> list[str]:
    """Encode the samples of a set that `folder` does not have yet. Returns the keys of those without a face.

    encode: of the VAE, as `latents.Encode`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    detector, without = BuiltinDetector(), []
    for number, sample in enumerate(samples, 1):
        file = folder / f"{sample.key}.safetensors"
        if not file.exists():
            try:
                _write(sample, file, encoder, encode, detector)
            except FaceMissing:
                without.append(sample.key)
        progress(number)
    return without


def _write(sample: Sample, file: Path, encoder: Encoder, encode: Encode, detector: BuiltinDetector) -> None:
    picture = resize_pictures(sample.face[None], (SIZE, SIZE))
    parts = choose(picture, find_faces(picture, detector), "large-small")
    all_parts, framing = dict.fromkeys(RELEASED_PARTS, 1.0), Framing(_RELEASED)
    target, _ = encode_target(parts, encoder, all_parts, framing)
    reference, _ = encode_reference(parts, encoder, all_parts, framing)
    painted = reference_of(target.target, _RELEASED, encode)[0].float()
    tensors = {
        "latent": encode(picture)[0].float() * SCALE, "painted": painted * SCALE,
        "mask": mask_of(target.target, _RELEASED)[0],
        f"tokens.{_FACE}": target.tokens[0], f"tokens.{_EMPTY}": target.unconditioned[0],
        **{f"tokens.{part}": tokens[0] for part, tokens in reference.tokens.items()},
    }  # fmt: skip
    halves = {name: value.half().contiguous() for name, value in tensors.items()}
    boxes = {f"boxes.{part}": reference.boxes[part][0].float().contiguous() for part in RELEASED_PARTS}
    facts = {"person": sample.facts["person"], "grid": json.dumps(encoder.grid)}
    part = file.with_suffix(".part")
    save_file(halves | boxes, part, facts)
    part.replace(file)


def load(folder: Path) -> Stored:
    """Raises ValueError unless there is a person with two photographs: one is learned from the others."""
    people: dict[str, list[Path]] = {}
    facts: dict[str, str] = {}
    files = sorted(folder.glob("*.safetensors"))
    for file in files:
        with safe_open(file, "pt") as opened:
            facts = opened.metadata()
        people.setdefault(facts["person"], []).append(file)
    several = tuple(tuple(own) for own in people.values() if len(own) > 1)
    if not several:
        raise ValueError(
            f"{folder} has {len(files)} photographs of {len(people)} people, and nobody has two; a person's parts are "
            "learned from other photographs of the same person"
        )
    with safe_open(several[0][0], "pt") as opened:
        empty = opened.get_tensor(f"tokens.{_EMPTY}").float()
    height, width = json.loads(facts["grid"])
    return Stored(several, empty, (height, width))


def without(stored: Stored, every: int) -> tuple[Stored, Stored]:
    """Those who are trained on, and every so manieth person, who is not."""
    judges = stored.people[::every] if len(stored.people) > 1 else ()
    return replace(stored, people=tuple(p for p in stored.people if p not in judges)), replace(stored, people=judges)


def read(file: Path) -> Photograph:
    """Raises ValueError for a file that is damaged."""
    try:
        with safe_open(file, "pt") as opened:
            tensors = {name: opened.get_tensor(name).float() for name in opened.keys()}  # noqa: SIM118
        return Photograph(
            tensors["latent"], tensors["painted"], tensors["mask"],
            {name: tensors[f"tokens.{name}"] for name in (_FACE, *RELEASED_PARTS)},
            {part: tensors[f"boxes.{part}"] for part in RELEASED_PARTS},
        )  # fmt: skip
    except Exception as problem:  # Of safetensors, and of a file that has gone.
        raise ValueError(f"{file} is missing or damaged ({problem}); remove it and prepare the data again") from problem


def fused_tokens(target: Photograph, givers: Mapping[str, Photograph], empty: Tensor, grid: tuple[int, int],
                 dropped: frozenset[str] = frozenset()) -> Tensor:  # fmt: skip
    """(classes + cells, width): the cells of each part from its giver, in the published order.

    `dropped`: names of RELEASED_PARTS, or "face", whose pictures are all zero; they are pasted all the same.
    """
    classes = len(empty) - grid[0] * grid[1]
    whole = (empty if _FACE in dropped else target.tokens[_FACE]).clone()
    cells = whole[classes:].unflatten(0, grid)
    for part in RELEASED_PARTS:
        tokens = empty if part in dropped else givers[part].tokens[part]
        own = tokens[classes:].unflatten(0, grid)
        paste_cells(cells, cells_of(target.boxes[part], grid), own, cells_of(givers[part].boxes[part], grid))
    return torch.cat([whole[:classes], cells.flatten(0, 1)])
