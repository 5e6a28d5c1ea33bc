"""What people saw on the portraits: who wears spectacles and who wears a hat. By file name without its ending."""

from __future__ import annotations

from collections.abc import Sequence

WEARERS = {
    "gov_228", "gov_231", "gov_246", "gov_250", "gov_253", "gov_264", "gov_265", "gov_267", "house_003", "house_004",
    "house_021", "house_024", "house_029", "house_037", "house_046", "house_047", "house_062", "house_066",
    "house_071", "house_078", "house_079", "house_082", "house_086", "house_089", "house_097", "house_099",
    "house_100", "house_113", "house_126", "house_128", "house_131", "house_132", "house_136", "house_137",
    "house_141", "house_147", "house_150", "house_153", "house_158", "house_163", "house_164", "house_166",
    "house_167", "house_171", "house_177", "house_183", "house_184", "house_187", "house_193", "house_199",
    "house_201", "house_202", "house_214",
}  # fmt: skip
HATS = {"gov_222", "house_042", "house_076", "house_082"}
# One portrait without spectacles in so many is never trained on, so that false alarms can be counted on it.
_HELD_OUT = 5


def held_out(names: Sequence[str]) -> set[str]:
    """The portraits that training leaves out, of all their `names`."""
    bare = [name for name in sorted(names) if name not in WEARERS | HATS]
    return set(bare[::_HELD_OUT])
