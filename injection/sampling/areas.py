"""Which piece of the latent each conditioning of a model call computes, by the areas that the host itself uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .grid_masks import WHOLE, Size, Window


class Area(NamedTuple):
    """A rectangle of the latent, in cells."""

    y: int
    x: int
    height: int
    width: int

    def window(self, latent: Size) -> Window:
        """The share of a `latent` (height, width) that the area covers."""
        if (self.height, self.width) == latent:
            return WHOLE
        height, width = latent
        return self.y / height, self.x / width, (self.y + self.height) / height, (self.x + self.width) / width


@dataclass(frozen=True)
class NotedAreas:
    """`latent`: height and width of what the conditionings are laid on. `by_mark`: number of a conditioning and mark of
    one of its entries -> the area that the host computes for that entry.
    """

    latent: Size
    by_mark: Mapping[tuple[int, Any], Area]


def note_areas(conds: Sequence[Any], latent: Size) -> NotedAreas:
    """`conds`: what the host's calc_cond_batch gets, a list of entries (or None) for each conditioning."""
    return NotedAreas(
        latent,
        {
            (i, entry["uuid"]): _area_of(entry.get("area"), latent)
            for i, entries in enumerate(conds)
            for entry in entries or ()
            if "uuid" in entry
        },
    )


def areas_of_call(
    options: Mapping[str, Any], noted: NotedAreas | None, piece: Size, latent: Size | None
) -> tuple[Area, ...]:
    """For each chunk of a call's rows the area that it computes; `options` are the host's.

    `noted`: None outside of a sampling run. `piece`: height and width of the latents in the call. `latent`: of those
    that are sampled, None when not known. Raises ValueError for a piece that no area explains.
    """
    chunks = options.get("cond_or_uncond", (0,))
    if latent is None or piece == latent:
        return (Area(0, 0, *piece),) * len(chunks)
    by_mark = noted.by_mark if noted is not None and noted.latent == latent else {}
    areas = tuple(by_mark[mark] for mark in zip(chunks, options.get("uuids", ()), strict=False) if mark in by_mark)
    if len(areas) < len(chunks) or any((area.height, area.width) != piece for area in areas):
        raise ValueError(
            f"the model is called with a piece of {piece[1]} x {piece[0]} cells of a latent of {latent[1]} x "
            f"{latent[0]}, and nothing says where the piece lies: a node for tiled sampling cuts it; take that node "
            "out, or cut the face out of the picture first, which needs no tiles"
        )
    return areas


def _area_of(area: Sequence[int] | None, latent: Size) -> Area:
    """The area as the host limits it. `area`: lengths, then offsets; of these the first two count."""
    if area is None:
        return Area(0, 0, *latent)
    half = len(area) // 2
    (height, width), (y, x) = area[:half][:2], area[half:][:2]
    return Area(y, x, min(latent[0] - y, height), min(latent[1] - x, width))
