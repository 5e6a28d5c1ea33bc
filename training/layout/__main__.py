"""python -m face_part_fusion.training.layout FOLDER --portraits ...: parse, train, save, compare with the rule.

FOLDER keeps the layouts and the state, so that a run that was cut off goes on. With the default settings it takes about
five minutes of one core to parse 268 portraits and ten to train.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ...injection.hs_diffusion.layout_net import WEIGHTS, LayoutGenerator
from ..core.options import listed, main_first, process_number
from ..core.record import one_sentence, to_terminal
from ..core.settings import add_settings, read_settings
from ..parser.portraits import held_out
from .judge import Method, by_rule, compare, sheet_of
from .layouts import load, prepare
from .train import Settings, save, train

# Held-out people on a sample sheet.
_SHOWN = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--portraits", type=Path, help="the folder of pictures; only needed to parse them")
    add_settings(parser, Settings())
    options = parser.parse_args()
    settings, running = read_settings(options, Settings())
    layouts = options.folder / "layouts"
    if options.portraits is not None:
        pictures = sorted(options.portraits.glob("*.jpg"))
        with main_first(running):
            prepare(pictures, layouts, lambda i: to_terminal(f"parsed {i} of {len(pictures)}") if i % 20 == 0 else None)
    people = load(layouts)
    judges = held_out(list(people))
    students = [person for name, person in people.items() if name not in judges]
    shown = [people[name] for name in sorted(judges)[:_SHOWN]]
    net = train(
        students, options.folder / "state.pt", settings, to_terminal, options=running,
        sheet=lambda net: sheet_of(net, shown), facts=listed(people),
    )  # fmt: skip
    if process_number():
        return
    save(net, options.folder / WEIGHTS)
    generator = LayoutGenerator(folder=options.folder)
    methods: dict[str, Method] = {
        "rule": by_rule,
        "generator": lambda person, sample, _: generator(sample.known, sample.hidden, person.neck),
    }
    for name, figures in compare([people[n] for n in sorted(judges)], methods).items():
        to_terminal(f"{name}: " + ", ".join(f"{k} {v:.3f}" for k, v in figures.items()))


if __name__ == "__main__":
    with one_sentence():
        main()
