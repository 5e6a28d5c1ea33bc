"""What changed between two descriptions, and whether it was meant to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ...detectors.parts import GROUPS, PART_CHOICES
from .attribute import PERHAPS, Attribute
from .describe import PART_OF, Description

# Part of an attribute -> names of parts whose exchange is meant to change it.
_MEANT_BY: Mapping[str, tuple[str, ...]] = {
    "eyes": ("eyes", *GROUPS["eyes"]),
    "brows": ("brows", *GROUPS["brows"]),
    "mouth": ("mouth", "lips", "inner_mouth"),
    "hair": ("hair", "head"),
}
# Units in words, and what more of them is called; the others are given with a sign.
_MORE: Mapping[str, tuple[str, str]] = {"skin_tone": ("lighter", "darker"), "lip_colour": ("redder", "paler")}


@dataclass(frozen=True)
class Change:
    """One attribute before and after. `meant`: whether the exchanged parts were to change it."""

    name: str
    before: Attribute
    after: Attribute
    meant: bool

    @property
    def amount(self) -> float:
        return self.after.number - self.before.number

    @property
    def word_changed(self) -> bool:
        return self.before.word != self.after.word

    def text(self) -> str:
        name = self.name.replace("_", " ")
        what = f"{self.before.word} -> {self.after.word}" if self.word_changed else self.after.word
        unit = self.before.unit.split(" ")[0] if self.name == "skin_tone" else self.before.unit
        if self.name in _MORE:
            amount = f"{abs(self.amount):.3g} {unit} {_MORE[self.name][self.amount < 0]}"
        else:
            amount = f"{self.amount:+.3g} {unit}"
        return f"{name}: {what}, {amount} ({'meant' if self.meant else 'not meant'})"


def check_parts(names: Collection[str]) -> None:
    """Raises ValueError for a name that is not a part."""
    for name in names:
        if name not in PART_CHOICES:
            raise ValueError(
                f"'{name}' in exchanged is not a part; name any of {', '.join(PART_CHOICES)}, with commas between"
            )


def compare(before: Description, after: Description, exchanged: Collection[str] = ()) -> list[Change]:
    """The attributes that differ by more than the error of the measurement, those that were not meant first.

    `exchanged`: the parts that were to change.
    """
    changes = []
    for name, old in before.items():
        new = after.get(name)
        if new is None or abs(new.number - old.number) < old.step / 3:
            continue
        far = abs(new.number - old.number) >= old.step
        told = old.word != new.word and min(old.confidence, new.confidence) >= PERHAPS
        if far or told:
            changes.append(Change(name, old, new, is_meant(name, exchanged)))
    return sorted(changes, key=lambda change: change.meant)


def is_meant(name: str, exchanged: Collection[str]) -> bool:
    part = PART_OF[name]
    meant_by = _MEANT_BY.get(part, (part,))
    if name == "expression":
        meant_by = (*_MEANT_BY["mouth"], *_MEANT_BY["eyes"])
    return bool(part) and (any(one in exchanged for one in meant_by) or ("head" in exchanged and part != ""))


def report(changes: list[Change], before: Description, after: Description) -> str:
    """One line for each change, then what was compared and did not change."""
    changed = {change.name for change in changes}
    same = [name.replace("_", " ") for name in before if name in after and name not in changed]
    lost = [name.replace("_", " ") for name in before if name not in after]
    lines = [change.text() for change in changes] or ["nothing changed by more than the error of the measurement"]
    lines += [f"unchanged: {', '.join(same)}"] if same else []
    lines += [f"not measured afterwards: {', '.join(lost)}"] if lost else []
    return "\n".join(lines)
