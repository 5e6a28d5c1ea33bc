"""The demonstration: parts of six people in one portrait, on photographs that installed packages ship."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from ..detectors.builtin import BuiltinDetector
from ..detectors.parts import FaceParts
from ..fusion.composite import PartReference, composite
from .faces import found
from .photo import EDITED, load_photo, save_photo
from .sheet import draw_sheet


@dataclass(frozen=True)
class Recipe:
    """One fused picture: `parts`: part -> number of the person in the group who gives it, at `strength`.

    With `onto`, that person of the group is the target instead, and the portrait gives the parts (all numbered 0).
    """

    parts: Mapping[str, int]
    strength: float = 1.0
    onto: int | None = None

    @property
    def title(self) -> str:
        if self.onto is not None:
            return f"{self.onto} with the portrait's {' and '.join(self.parts)}"
        listed = ", ".join(f"{part} {number}" for part, number in self.parts.items())
        return listed if self.strength == 1 else f"{listed} at {self.strength:g}"


@dataclass(frozen=True, eq=False)
class Result:
    """A fused picture (H, W, 3) with the faces that its target had."""

    title: str
    target: FaceParts
    picture: Tensor


# People are numbered from left to right in the group.
RECIPES = (
    Recipe({"eyes": 2, "nose": 5, "mouth": 0}),
    Recipe({"eyes": 5}),
    Recipe({"nose": 5}),
    Recipe({"mouth": 5}),
    Recipe({"brows": 2, "eyes": 2, "mouth": 5}),
    Recipe({"brows": 0, "eyes": 5, "mouth": 0}, 0.6),
    Recipe({"eyes": 0, "mouth": 0}, onto=2),
    Recipe({"eyes": 0, "nose": 0}, onto=5),
)


def run_demo(folder: str) -> None:
    """Find, fuse and draw everything; writes sheet.png and one picture per recipe into `folder`.

    Raises ModuleNotFoundError naming the command that installs what is missing.
    """
    started = time.perf_counter()
    tqdm = _tqdm()
    with tqdm(total=len(RECIPES) + 3, desc="face-part-fusion demo", unit="step") as bar:
        detector = BuiltinDetector()
        target = found(astronaut(), detector)
        bar.update()
        group = found(group_photo(), detector, "left-right")
        bar.update()
        results = []
        for recipe in RECIPES:
            results.append(fuse(target, group, recipe))
            bar.update()
        for number, result in enumerate(results, 1):
            save_photo(result.picture, Path(folder) / f"fused-{number}.png", [f"{EDITED}: {result.title}"])
        sheet = draw_sheet(target, group, results)
        path = save_photo(sheet, Path(folder) / "sheet.png", [f"{EDITED}: {result.title}" for result in results])
        bar.update()
    print(f"The sheet is {path} ({time.perf_counter() - started:.1f} s)")


def fuse(portrait: FaceParts, group: FaceParts, recipe: Recipe) -> Result:
    """Do what one recipe says."""
    target, givers = (portrait, group) if recipe.onto is None else (_chosen(group, recipe.onto), portrait)
    references = [
        PartReference(_chosen(givers, number), {part: recipe.strength}) for part, number in recipe.parts.items()
    ]
    return Result(recipe.title, target, composite(target, references)[0][0])


def _chosen(parts: FaceParts, number: int) -> FaceParts:
    return replace(parts, chosen=(number,))


def astronaut() -> Tensor:
    """The portrait of Eileen Collins (NASA, public domain) that scikit-image ships, (1, H, W, 3)."""
    return load_photo(_shipped("skimage", "data/astronaut.png"))


def group_photo() -> Tensor:
    """The group photograph that insightface ships, (1, H, W, 3)."""
    return load_photo(_shipped("insightface", "data/images/t1.jpg"))


def _shipped(package: str, name: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            f'the demo takes a photograph from the package {package}, which is missing; run: pip install ".[demo]"'
        )
    return Path(spec.submodule_search_locations[0]) / name


def _tqdm() -> Callable:
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        raise ModuleNotFoundError('the demo shows its progress with tqdm; run: pip install ".[demo]"') from None
    return tqdm
