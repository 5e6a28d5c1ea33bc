"""The built-in face parser, and its close look at spectacles, trained:

    python -m face_part_fusion.training.parser FOLDER --portraits ... --teacher ... --person ...
    python -m face_part_fusion.training.parser FOLDER --net spectacles --portraits ...

The first labels the portraits, trains the parser and saves it; the second begins with the parser in FOLDER and with its
labels. FOLDER keeps the state, so that a run that was cut off goes on. How long both take is in docs/figures.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ...detectors.bundled import load_bundled
from ...detectors.parser_net import FaceParser
from ..core.options import Options, main_first, process_number
from ..core.record import one_sentence, to_terminal
from ..core.settings import add_settings, read_settings
from .labels import Teachers, prepare
from .portraits import HATS, WEARERS, held_out
from .samples import load
from .strips import prepare_strips
from .train import Settings, save, train_parser, train_spectacles

SETTINGS = {
    "parser": Settings(),
    "spectacles": Settings(samples=10400, batch=8, rate=2e-3, encoder_rate=4e-4),
}
_PARSER, _SPECTACLES = "face_parser.safetensors", "spectacles.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--net", choices=tuple(SETTINGS), default="parser")
    parser.add_argument("--portraits", type=Path, help="the folder of pictures; only needed to label or cut them")
    parser.add_argument("--teacher", type=Path, help="skin_clothes_hair_pan.onnx; only needed for the parser")
    parser.add_argument("--person", type=Path, help="selfie_segmentation.tflite; only needed to label")
    parser.add_argument("--start", type=Path, help="the state of a finished training to go on from, with new settings")
    add_settings(parser, *SETTINGS.values())
    options = parser.parse_args()
    if options.net == "parser" and options.teacher is None:
        parser.error("the parser begins with the teacher's encoder; name it with --teacher")
    settings, running = read_settings(options, SETTINGS[options.net])
    pictures = sorted(options.portraits.glob("*.jpg")) if options.portraits is not None else []
    (_parser if options.net == "parser" else _spectacles)(options, settings, running, pictures)


def _parser(options: argparse.Namespace, settings: Settings, running: Options, pictures: list[Path]) -> None:
    labels = options.folder / "labels"
    if pictures:
        with main_first(running):
            prepare(pictures, labels, Teachers(options.teacher, options.person), HATS, WEARERS, _counted(len(pictures)))
    names = [path.stem for path in sorted(labels.glob("*.npz"))]
    state = options.folder / "state.pt"
    net = train_parser(
        labels, options.teacher, WEARERS, held_out(names), state, settings, to_terminal, running, options.start
    )
    if process_number() == 0:
        save(net, options.folder / _PARSER)


def _spectacles(options: argparse.Namespace, settings: Settings, running: Options, pictures: list[Path]) -> None:
    labels, strips = options.folder / "labels", options.folder / "strips"
    if pictures:
        with main_first(running):
            prepare_strips(pictures, load(labels), strips, _counted(len(pictures)))
    names = [path.stem for path in sorted(strips.glob("*.npz"))]
    parser = load_bundled(FaceParser(), _PARSER, options.folder)
    state = options.folder / "spectacles.pt"
    net = train_spectacles(strips, labels, WEARERS | held_out(names), parser, state, settings, to_terminal, running)
    if process_number() == 0:
        save(net, options.folder / _SPECTACLES)


def _counted(number: int) -> Callable[[int], None]:
    return lambda i: to_terminal(f"prepared {i} of {number}") if i % 20 == 0 else None


if __name__ == "__main__":
    with one_sentence():
        main()
