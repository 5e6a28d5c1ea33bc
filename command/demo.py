"""The demonstration: parts exchanged between a portrait and a group of six, on photographs that packages ship."""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from ..detectors.builtin import BuiltinDetector
from ..detectors.parts import FaceParts
from ..fusion.composite import PartReference, composite
from .faces import faces_in_photo
from .photo import EDITED, load_photo, save_photo
from .sheet import FusedPhoto, draw_sheet

# A person of a recipe is a number of the group, counted from left to right, or the portrait.
PORTRAIT = -1


@dataclass(frozen=True)
class Recipe:
    """One fused picture. `parts`: part -> the person who gives it, at `strength`; `onto`: the person who gets them."""

    parts: Mapping[str, int]
    onto: int = PORTRAIT
    strength: float = 1.0

    @property
    def title(self) -> str:
        givers = {who: [part for part, giver in self.parts.items() if giver == who] for who in self.parts.values()}
        gifts = ", ".join(f"{_enumeration(parts)} of {_name(who)}" for who, parts in givers.items())
        return f"{_name(self.onto)} with {gifts}" + ("" if self.strength == 1 else f" at {self.strength:g}")


def _enumeration(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _name(who: int) -> str:
    return "the portrait" if who == PORTRAIT else str(who)


# The eyes of a small face that looks aside do not suit a large one, so most recipes go from the portrait to the
# group. Noses and mouths of those who face the camera most go the other way.
RECIPES = (
    Recipe({"eyes": PORTRAIT, "mouth": PORTRAIT}, onto=2),
    Recipe({"eyes": PORTRAIT, "nose": PORTRAIT, "mouth": PORTRAIT}, onto=3),
    Recipe({"eyes": PORTRAIT}, onto=5),
    Recipe({"nose": 2, "mouth": 5}),
    Recipe({"mouth": 0}),
    Recipe({"eyes": PORTRAIT}, onto=0),
)


EXAMPLES = """examples:
  face-part-fusion demo
  face-part-fusion demo -o sheet-of-today"""


def add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", default="face-part-fusion-demo", metavar="FOLDER", help="where the sheet goes"
    )
    parser.set_defaults(run=lambda options: run_demo(options.output))


def run_demo(folder: str) -> None:
    """Write sheet.png and one picture per recipe into `folder`.

    Raises ModuleNotFoundError naming the command that installs the missing package.
    """
    started = time.perf_counter()
    tqdm = _tqdm()
    with tqdm(total=len(RECIPES) + 3, desc="face-part-fusion demo", unit="step") as bar:
        detector = BuiltinDetector()
        portrait = faces_in_photo(astronaut(), detector)
        bar.update()
        group = faces_in_photo(group_photo(), detector, "left-right")
        bar.update()
        fused = []
        for recipe in RECIPES:
            fused.append(fuse(portrait, group, recipe))
            bar.update()
        for number, photo in enumerate(fused, 1):
            save_photo(photo.picture, Path(folder) / f"fused-{number}.png", [f"{EDITED}: {photo.title}"])
        sheet = draw_sheet(portrait, group, fused)
        path = save_photo(sheet, Path(folder) / "sheet.png", [f"{EDITED}: {photo.title}" for photo in fused])
        bar.update()
    print(f"The sheet is {path} ({time.perf_counter() - started:.1f} s)")


def fuse(portrait: FaceParts, group: FaceParts, recipe: Recipe) -> FusedPhoto:
    """The fused picture of one recipe."""

    def person(who: int) -> FaceParts:
        return portrait if who == PORTRAIT else replace(group, chosen=(who,))

    target = person(recipe.onto)
    references = [PartReference(person(who), {part: recipe.strength}) for part, who in recipe.parts.items()]
    return FusedPhoto(recipe.title, target, composite(target, references)[0][0])


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
