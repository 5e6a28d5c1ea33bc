"""Fusing the features of several people into one map: the checks, and the choice between the two ways."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from ...detectors.progress import Progress
from ..batches import check_count
from .cells import fuse_cells
from .records import FusedFeatures, PartFeatures, ReferenceFeatures, TargetFeatures
from .soft_cells import RESAMPLINGS, fuse_soft_cells

# Mean difference of two encoders' tokens of one picture, relative to their mean size: by rounding only for the same
# weights, about 1 for others.
_SAME_WEIGHTS = 0.05


def fuse_features(
    target: PartFeatures,
    references: Sequence[PartFeatures],
    *,
    resample: str = "similarity",
    feather: float = 0.25,
    progress: Progress | None = None,
) -> FusedFeatures:
    """Fuse the references' parts into the target's map: `fuse_cells` or `fuse_soft_cells`, by their mode.

    `target`: `TargetFeatures` of B pictures.
    `references`: `ReferenceFeatures` of B pictures or 1 each; a single picture serves every target picture.
    `resample`: of RESAMPLINGS; mode "practical" only.
    `feather`: cells over which a part fades out, 0..4; mode "practical" only.
    `progress`: called after each picture of each reference; mode "practical" only.

    Raises ValueError for no reference at all, features that do not fit together, a part that the target does not make
    anew, and as the two functions do. In mode "released" parts that are painted out but given by nobody are logged as
    a warning.
    """
    if resample not in RESAMPLINGS:
        raise ValueError(f"resample is '{resample}'; choose one of {', '.join(RESAMPLINGS)}")
    if not 0 <= feather <= 4:
        raise ValueError(f"feather is {feather}; it goes from 0 to 4 cells")
    if not isinstance(target, TargetFeatures):
        raise ValueError("target was encoded with role 'reference'; encode the face that is changed with role 'target'")
    if not references:
        raise ValueError(
            "references is empty, so there is nothing to fuse; wire in at least one person, encoded with role "
            "'reference'"
        )
    givers = [_checked_reference(target, reference, number) for number, reference in enumerate(references, 1)]
    if target.mode == "released":
        _warn_of_gaps(target, givers)
        tokens, parts, origin = fuse_cells(target, givers)
    else:
        tokens, parts, origin = fuse_soft_cells(target, givers, resample, feather, progress)
    return FusedFeatures(
        target.mode, tokens, target.unconditioned, target.grid, target.classes, target.encoder, parts, origin,
        target.target,
    )  # fmt: skip


def _warn_of_gaps(target: TargetFeatures, references: Sequence[ReferenceFeatures]) -> None:
    gaps = [part for part in target.boxes if not any(part in reference.strengths for reference in references)]
    if gaps:
        names, it = " and ".join(gaps), "it" if len(gaps) == 1 else "them"
        logging.warning(
            "Fusing features: the target's %s %s painted out, but no reference gives %s, so the model makes %s up. "
            "Encode the target with %s at 0, or a reference with %s above 0.",
            names, "is" if len(gaps) == 1 else "are", it, it, names, names,
        )  # fmt: skip


def _checked_reference(target: TargetFeatures, reference: PartFeatures, number: int) -> ReferenceFeatures:
    """The reference with a name. Raises ValueError when it does not fit the target."""
    name = reference.name or f"reference {number}"
    if not isinstance(reference, ReferenceFeatures):
        raise ValueError(f"{name} was encoded with role 'target'; encode a person who gives with role 'reference'")
    if reference.mode != target.mode:
        raise ValueError(
            f"{name} was encoded in mode '{reference.mode}' and the target in mode '{target.mode}'; encode both in the "
            "same mode"
        )
    check_count(name, len(reference), len(target))
    _check_encoder(target, reference, name)
    for part in reference.strengths:
        if part not in target.boxes:
            raise ValueError(
                f"{name} gives the part '{part}', but the target makes only {', '.join(target.boxes)} anew; encode the "
                f"target with {part} above 0, or the reference with {part} at 0"
            )
    return replace(reference, name=name)


def _check_encoder(target: PartFeatures, reference: PartFeatures, name: str) -> None:
    kinds = [(f.encoder, f.grid, f.width, f.classes) for f in (target, reference)]
    if kinds[0] != kinds[1]:
        encoders = [f"{encoder} ({grid[0]} x {grid[1]} cells, width {width})" for encoder, grid, width, _ in kinds]
        raise ValueError(
            f"{name} was encoded with {encoders[1]} and the target with {encoders[0]}; encode both with the same "
            "CLIP_VISION"
        )
    difference = (reference.unconditioned - target.unconditioned).abs().mean()
    if bool(difference > _SAME_WEIGHTS * target.unconditioned.abs().mean()):
        raise ValueError(
            f"{name} and the target were encoded with different weights of {target.encoder}; encode both with the same "
            "CLIP_VISION"
        )
