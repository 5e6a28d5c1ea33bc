"""python -m face_part_fusion.training.layout FOLDER --portraits ...: parse, train, save, compare with the rule.

FOLDER keeps the layouts and the state, so that a run that was cut off goes on. With the default settings it takes about
five minutes of one core to parse 268 portraits and ten to train.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...injection.hs_diffusion.layout_net import WEIGHTS, LayoutGenerator
from ..parser.portraits import held_out
from .judge import Method, by_rule, compare
from .layouts import load, prepare
from .train import Settings, save, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--portraits", type=Path, help="the folder of pictures; only needed to parse them")
    for name, value in vars(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = parser.parse_args()
    settings = Settings(**{name: getattr(options, name) for name in vars(Settings())})
    layouts = options.folder / "layouts"
    if options.portraits is not None:
        pictures = sorted(options.portraits.glob("*.jpg"))
        prepare(pictures, layouts, lambda i: _log(f"parsed {i} of {len(pictures)}") if i % 20 == 0 else None)
    people = load(layouts)
    judges = held_out(list(people))
    net = train([p for name, p in people.items() if name not in judges], options.folder / "state.pt", settings, _log)
    save(net, options.folder / WEIGHTS)
    generator = LayoutGenerator(folder=options.folder)
    methods: dict[str, Method] = {
        "rule": by_rule,
        "generator": lambda person, sample, _: generator(sample.known, sample.hidden, person.neck),
    }
    for name, figures in compare([people[n] for n in sorted(judges)], methods).items():
        _log(f"{name}: " + ", ".join(f"{k} {v:.3f}" for k, v in figures.items()))


def _log(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
