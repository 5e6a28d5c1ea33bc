"""Fusing the features of several people into one map: what must fit together, and which way it is done."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from ...detectors.progress import Progress
from .cells import fuse_cells
from .records import FusedFeatures, PartFeatures
from .soft_cells import RESAMPLINGS, fuse_soft_cells

# Tokens of the same picture from the same weights differ by rounding, from other weights by about their own size.
_SAME_WEIGHTS = 0.05


def fuse_features(
    target: PartFeatures,
    references: Sequence[PartFeatures],
    *,
    resample: str = "similarity",
    feather: float = 0.25,
    progress: Progress | None = None,
) -> FusedFeatures:
    """The target's map with the references' parts in it: `cells.fuse_cells` or `soft_cells.fuse_soft_cells`.

    Which of them follows from the mode in which they were encoded; `resample` and `feather` (0..4 cells) are for
    "practical" only, and so is `progress`, told after each picture of each giver. A reference of one picture serves
    every target picture. Raises ValueError for no reference at all, features that do not fit together, a part that the
    target does not make anew, and what the two raise. In "released" mode parts that the target makes anew and nobody
    gives are warned of in the log.
    """
    if resample not in RESAMPLINGS:
        raise ValueError(f"resample is '{resample}'; choose one of {', '.join(RESAMPLINGS)}")
    if not 0 <= feather <= 4:
        raise ValueError(f"feather is {feather}; it goes from 0 to 4 cells")
    if target.target is None:
        raise ValueError("target is a Part Encode of role 'reference'; encode it with role 'target'")
    if not references:
        raise ValueError("references is empty, so there is nothing to fuse; wire in a Part Encode of role 'reference'")
    references = [replace(r, name=r.name or f"reference {number}") for number, r in enumerate(references, 1)]
    for reference in references:
        _check(target, reference)
    if target.mode == "released":
        _warn_of_gaps(target, references)
        tokens, parts, origin = fuse_cells(target, references)
    else:
        tokens, parts, origin = fuse_soft_cells(target, references, resample, feather, progress)
    return FusedFeatures(
        target.mode, tokens, target.unconditioned, target.grid, target.classes, target.encoder, parts, origin,
        target.target,
    )  # fmt: skip


def _warn_of_gaps(target: PartFeatures, references: Sequence[PartFeatures]) -> None:
    missing = [part for part in target.boxes if not any(part in reference.strengths for reference in references)]
    if missing:
        one = " and ".join(missing)
        logging.warning(
            "Mask Fuse: the target's %s %s painted out, but no reference gives %s; what is made there shows no face's "
            "own. Set %s to 0 in the target's Part Encode, or above 0 in a reference's.",
            one, "is" if len(missing) == 1 else "are", "it" if len(missing) == 1 else "them", one,
        )  # fmt: skip


def _check(target: PartFeatures, reference: PartFeatures) -> None:
    if reference.target is not None:
        raise ValueError(f"{reference.name} is a Part Encode of role 'target'; encode it with role 'reference'")
    if reference.mode != target.mode:
        raise ValueError(
            f"{reference.name} was encoded in mode '{reference.mode}' and the target in mode '{target.mode}'; set "
            "both Part Encodes to the same mode"
        )
    if len(reference) not in (1, len(target)):
        raise ValueError(
            f"{reference.name} has {len(reference)} pictures and the target has {len(target)}; use one reference "
            f"picture for all, or exactly {len(target)}"
        )
    _check_encoder(target, reference)
    for part in reference.strengths:
        if part not in target.boxes:
            raise ValueError(
                f"{reference.name} gives the part '{part}', but the target makes only {', '.join(target.boxes)} "
                f"anew; set {part} above 0 in the target's Part Encode, or to 0 in the reference's"
            )


def _check_encoder(target: PartFeatures, reference: PartFeatures) -> None:
    kinds = [(f.encoder, f.grid, f.width, f.classes) for f in (target, reference)]
    if kinds[0] != kinds[1]:
        ours, theirs = (f"{name} ({grid[0]} x {grid[1]} cells, width {width})" for name, grid, width, _ in kinds)
        raise ValueError(
            f"{reference.name} was encoded with {theirs} and the target with {ours}; wire the same CLIP_VISION into "
            "every Part Encode"
        )
    apart = (reference.unconditioned - target.unconditioned).abs().mean()
    if bool(apart > _SAME_WEIGHTS * target.unconditioned.abs().mean()):
        raise ValueError(
            f"{reference.name} and the target were encoded with different weights of {target.encoder}; wire the same "
            "CLIP_VISION into every Part Encode"
        )
