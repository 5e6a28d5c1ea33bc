"""One person's identity: read from any number of photographs, kept in one small file with a thumbnail."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from ...detectors.parts import Face, FaceParts, of_input
from ...detectors.progress import Progress, counted
from ...fusion.face_swap import aligned_crop, face_matrix
from ...fusion.similarity import scale_of
from ..files.thumbnail import SIDE, thumbnail_texts
from ..files.weight_file import read_metadata, read_weights
from .swapper import ARCFACE, Frame, Swapper

# Cosine of ArcFace's vectors below which two photographs hardly show one person; two people have about 0.
_ONE_PERSON = 0.25
# What the file says of itself, and the keys of its tensors.
FORMAT = "face_part_fusion identity 1"
_VECTOR, _PICTURE = "identity", "thumbnail"
_ADVICE = "choose a file that was saved with an identity, or encode the photographs again"


@dataclass(frozen=True, eq=False)
class Identity:
    """The value on the FACE_IDENTITY wire.

    `vector`: (width,) float32, as the swapper of that `provider` reads it; the first 512 of length 1.
    `provider`: the networks that made it.
    `thumbnail`: (h, w, 3) float32, 0..1, the best of its photographs.
    `photographs`: how many of them count in it.
    """

    vector: Tensor
    provider: str
    thumbnail: Tensor
    photographs: int


class _Photograph(NamedTuple):
    """One face of the person. `name`: for the report. `weight`: how much it counts, 0..1."""

    name: str
    crop: Tensor
    weight: float


def read_identity(
    swapper: Swapper, people: Mapping[str, FaceParts], progress: Progress | None = None
) -> tuple[Identity, tuple[str, ...]]:
    """The identity of the one person whom all photographs show, and a report, one sentence a line.

    Large faces that look at the camera count more. A photograph that shows somebody else is left out, where there are
    at least three, and reported.

    `people`: name of the input -> its pictures; of each the chosen face is read.
    `progress`: called after each photograph.

    Raises ValueError where no photograph has a face, and for a face without landmarks.
    """
    photographs, report = _photographs(people, swapper.source)
    vectors = torch.cat([swapper.identify(each.crop[None]) for each in counted(photographs, progress)])
    outliers = _outliers(vectors[:, :ARCFACE])
    kept = [i for i in range(len(photographs)) if i not in outliers or len(photographs) < 3]
    for i, likeness in outliers.items():
        fate = "counts all the same, as there are only two" if i in kept else "is left out"
        report.append(
            f"{photographs[i].name} shows somebody else (likeness {likeness:.2f} to the other photographs) and {fate}"
        )
    weights = torch.tensor([photographs[i].weight for i in kept])
    mean = (vectors[kept] * weights[:, None]).sum(0) / weights.sum()
    best = max(kept, key=lambda i: photographs[i].weight)
    rest = (vectors[best] if swapper.pictures else mean)[ARCFACE:]
    vector = torch.cat([functional.normalize(mean[:ARCFACE], dim=0), rest])
    count = f"{len(kept)} photograph{'s' if len(kept) > 1 else ''}"
    report.insert(0, f"one person from {count}")
    return Identity(vector, swapper.provider, _thumbnail(photographs[best].crop), len(kept)), tuple(report)


def between(own: Tensor, new: Tensor, strength: float, lower_face: float) -> Tensor:
    """(width,): the way from one identity to another.

    `strength`: 0..1, how far. `lower_face`: 0..1, how far of that the values of the lower face follow, where there are.
    """
    identity = functional.normalize(torch.lerp(own[:ARCFACE], new[:ARCFACE], strength), dim=0)
    return torch.cat([identity, torch.lerp(own[ARCFACE:], new[ARCFACE:], strength * lower_face)])


def likeness(one: Tensor, other: Tensor) -> float:
    """The cosine of two identities (width,), -1..1: 1 for the same photograph, about 0 for two people."""
    return float(functional.cosine_similarity(one[:ARCFACE], other[:ARCFACE], dim=0))


def check_provider(identity: Identity, swapper: Swapper, name: str) -> None:
    """Raises ValueError, naming the input `name`, for an identity that another swapper's networks made."""
    if identity.provider != swapper.provider or identity.vector.shape != (swapper.width,):
        raise ValueError(
            f"{name} was made by {identity.provider} ({len(identity.vector)} values), and this swapper needs one by "
            f"{swapper.provider} ({swapper.width} values): vectors of two recognisers cannot be compared. Encode the "
            "photographs again with this swapper"
        )


def save_identity(identity: Identity, path: str | Path) -> None:
    """Writes one small safetensors file; an existing one is replaced."""
    picture = (identity.thumbnail * 255).round().to(torch.uint8).contiguous()
    metadata = {"format": FORMAT, "provider": identity.provider, "photographs": str(identity.photographs)}
    save_file(
        {_VECTOR: identity.vector.float().contiguous(), _PICTURE: picture},
        str(path),
        metadata | thumbnail_texts(identity.thumbnail),
    )


def load_identity(path: str | Path) -> Identity:
    """The identity in a file of `save_identity`. Raises ValueError for another file or a damaged one."""
    metadata = read_metadata(path)
    if metadata.get("format") != FORMAT:
        came = f"its format is '{metadata['format']}'" if "format" in metadata else "it says no format"
        raise ValueError(f"{path} holds no saved identity ({came}); {_ADVICE}")
    state = read_weights(path, _ADVICE)
    vector, picture = state.get(_VECTOR), state.get(_PICTURE)
    count = metadata.get("photographs", "")
    usable = (
        set(state) == {_VECTOR, _PICTURE}
        and vector.ndim == 1 and len(vector) >= ARCFACE and vector.is_floating_point() and vector.isfinite().all()
        and picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == torch.uint8
        and count.isdecimal() and metadata.get("provider")
    )  # fmt: skip
    if not usable:
        raise ValueError(f"{path} is a saved identity that was changed since; {_ADVICE}")
    return Identity(vector.float(), metadata["provider"], picture.float() / 255, int(count))


def _photographs(people: Mapping[str, FaceParts], frame: Frame) -> tuple[list[_Photograph], list[str]]:
    photographs, report = [], []
    template = torch.tensor(frame.points)
    for name, parts in people.items():
        for i in range(len(parts)):
            face = parts.face(i)
            which = name if len(parts) == 1 else f"{name}, picture {i + 1}"
            if face is None:
                report.append(f"{which} has no face and is left out")
                continue
            if len(parts.faces[i]) > 1:
                report.append(f"{which} has {len(parts.faces[i])} faces, of which the chosen one is read")
            with of_input(which):
                crop = aligned_crop(parts.pictures[i], face, template, frame.size)
            photographs.append(_Photograph(which, crop, _weight(face, template)))
    if not photographs:
        raise ValueError(
            f"{' and '.join(people) or 'photographs'}: no photograph has a face to read the person from; use another "
            "picture, or lower the detector's threshold"
        )
    return photographs, report


def _weight(face: Face, template: Tensor) -> float:
    """0..1: 1 for a face at least as large as the crop, seen from in front."""
    size = min(1.0, 1 / scale_of(face_matrix(face, template)))
    return size * (1.0 if face.angles is None else max(0.1, math.cos(math.radians(face.angles[0]))))


def _outliers(vectors: Tensor) -> dict[int, float]:
    """Photographs unlike the one that is most like all -> their likeness to it. `vectors`: (B, 512), of length 1."""
    if len(vectors) < 2:
        return {}
    alike = vectors @ vectors.T
    middle = int(alike.median(1).values.argmax())
    far = [i for i in range(len(vectors)) if float(alike[middle, i]) < _ONE_PERSON]
    return {i: float(alike[middle, i]) for i in far}


def _thumbnail(crop: Tensor) -> Tensor:
    small = functional.interpolate(
        crop.movedim(-1, 0)[None], (SIDE, SIDE), mode="bicubic", antialias=True, align_corners=False
    )
    return small[0].movedim(0, -1).clamp(0, 1)
