"""How well the regions of eyes, nose and mouth agree with the maps of a learned face parser, on near-frontal faces.

    python benchmarks/regions.py --photos PHOTOS --parser TFLITE

PHOTOS is a folder of photographs, TFLITE a parser of 448 x 448 pixels (19 classes of CelebAMask-HQ, hard labels; needs
ai-edge-litert). Against hand-drawn labels of eyes, nose and mouth such a parser itself reaches about
0.76 / 0.89 / 0.90, so the figures say how far two independent opinions agree.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from pack import load_pack

load_pack()
from face_part_fusion.command.photo import load_photo  # noqa: E402
from face_part_fusion.detectors.builtin import BuiltinDetector  # noqa: E402
from face_part_fusion.detectors.find import find_faces  # noqa: E402
from face_part_fusion.detectors.parts import FaceParts  # noqa: E402
from face_part_fusion.fusion.crop import crop_faces  # noqa: E402
from face_part_fusion.fusion.masks import part_mask  # noqa: E402

CLASSES = {"eyes": (4, 5), "nose": (10,), "mouth": (11, 12, 13)}
SIZE, SMALLEST, MOST_TURNED = 448, 100, 20


class Parser:
    def __init__(self, path: Path) -> None:
        self._net = Interpreter(model_path=str(path))
        self._net.allocate_tensors()
        self._input, self._output = self._net.get_input_details()[0], self._net.get_output_details()[0]

    def __call__(self, crop: torch.Tensor) -> np.ndarray:
        """(SIZE, SIZE, 3) 0..1 -> class numbers (SIZE, SIZE)."""
        values = (crop.numpy()[None] * 255 - 128) / 128
        self._net.set_tensor(self._input["index"], values.astype(self._input["dtype"]))
        self._net.invoke()
        return np.squeeze(self._net.get_tensor(self._output["index"])).astype(int)


def agreement(parts: FaceParts, parser: Parser) -> dict[str, float]:
    crop, moved, _ = crop_faces(parts, SIZE, "upright", 0.5)
    labels, face = parser(crop[0]), moved.faces[0][0]
    scores = {}
    for part, classes in CLASSES.items():
        theirs = np.isin(labels, classes)
        if theirs.sum() >= 40:
            ours = part_mask(face, [part], (SIZE, SIZE)).numpy() > 0.5
            scores[part] = 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum())
    return scores


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--photos", type=Path, required=True)
    options.add_argument("--parser", type=Path, required=True)
    arguments = options.parse_args()
    detector, parser, scores = BuiltinDetector(), Parser(arguments.parser), {part: [] for part in CLASSES}
    for path in sorted(arguments.photos.iterdir()):
        picture = load_photo(path)
        faces = find_faces(picture, detector)
        for i, face in enumerate(faces[0]):
            if face.box[2] - face.box[0] >= SMALLEST and abs(face.angles[0]) < MOST_TURNED:
                for part, score in agreement(FaceParts(picture, faces, (i,)), parser).items():
                    scores[part].append(score)
    for part, values in scores.items():
        middle, mean = statistics.median(values), statistics.fmean(values)
        print(f"{part:6s} F1 median {middle:.3f} mean {mean:.3f} ({len(values)} faces)")


if __name__ == "__main__":
    with torch.inference_mode():
        main()
