"""python -m face_part_fusion.training.parser FOLDER --portraits ... --teacher ... --person ...: label, train, save.

With the default settings it takes about 80 minutes on two cores. FOLDER keeps the labels and the state, so that a run
that was cut off goes on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .labels import Teachers, prepare
from .portraits import HATS, WEARERS, held_out
from .train import Settings, save, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--portraits", type=Path, help="the folder of pictures; only needed to label them")
    parser.add_argument("--teacher", type=Path, required=True, help="skin_clothes_hair_pan.onnx")
    parser.add_argument("--person", type=Path, help="selfie_segmentation.tflite; only needed to label")
    parser.add_argument("--start", type=Path, help="the state of a finished training to go on from, with new settings")
    parser.add_argument("--device", default="cpu")
    for name, value in vars(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = parser.parse_args()
    settings = Settings(**{name: getattr(options, name) for name in vars(Settings())})
    labels = options.folder / "labels"
    if options.portraits is not None:
        pictures = sorted(options.portraits.glob("*.jpg"))
        prepare(pictures, labels, Teachers(options.teacher, options.person), HATS, WEARERS,
                lambda i: _log(f"labelled {i} of {len(pictures)}") if i % 20 == 0 else None)  # fmt: skip
    names = [path.stem for path in sorted(labels.glob("*.npz"))]
    state = options.folder / "state.pt"
    net = train(labels, options.teacher, WEARERS, held_out(names), state, settings, _log, options.device, options.start)
    save(net, options.folder / "face_parser.safetensors")


def _log(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
