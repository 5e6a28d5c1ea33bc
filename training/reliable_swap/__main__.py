"""python -m face_part_fusion.training.reliable_swap FOLDER --photographs ...: align, train FixerNet, save, judge.

FOLDER keeps the aligned faces and the state, so that a run that was cut off goes on. The photographs lie in one folder
a person, or are named ann_1.jpg, ann_2.jpg, ben_1.jpg. The defaults are the published settings, for half a million
photographs; for a thousand: --depth r18 --batch 32 --rise 0.4 --shift 3.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ...injection.faces.fixer_net import SIDE, WIDTH
from ...injection.faces.iresnet import DEPTHS, FaceVectorNet
from ..core.options import main_first, process_number
from ..core.record import one_sentence, to_terminal
from ..core.settings import add_settings, read_settings
from .fixer import Settings, save_fixer, train_fixer
from .judge import by_network, by_pixels, held_out, likeness
from .people import load, prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photographs", type=Path, help="only needed to align them")
    parser.add_argument("--judge-one-in", type=int, default=4, help="every so manieth person is held out")
    add_settings(parser, Settings())
    options = parser.parse_args()
    settings, running = read_settings(options, Settings())
    options.folder.mkdir(parents=True, exist_ok=True)
    faces = options.folder / "faces.npz"
    if not faces.exists() and options.photographs is None:
        parser.error(f"{faces} does not exist; name the folder of --photographs")
    with main_first(running):
        if not faces.exists():
            told = prepare(options.photographs, faces, lambda i, n: to_terminal(f"{i} of {n}") if i % 50 == 0 else None)
            to_terminal(f"without a face: {', '.join(told) or 'none'}")
    people = load(faces)
    judges = held_out(people.names, options.judge_one_in)
    students = people.of([name for name in people.names if name not in judges])
    to_terminal(f"{len(students.names)} people in {len(students.faces)} photographs, {len(judges)} people held out")
    net = train_fixer(students, options.folder / "state.pt", settings, to_terminal, options=running)
    if process_number():
        return
    save_fixer(net, options.folder / "fixer_net.safetensors")
    others = people.of(judges)
    torch.manual_seed(settings.seed)
    untrained = by_network(FaceVectorNet(DEPTHS[settings.depth], SIDE, WIDTH).eval())
    for name, method in (("pixels", by_pixels), ("untrained", untrained), ("trained", by_network(net))):
        to_terminal(f"held out, {name}: {likeness(method(others), others.person)}")
    to_terminal(f"trained on, trained: {likeness(by_network(net)(students), students.person)}")


if __name__ == "__main__":
    with one_sentence():
        main()
