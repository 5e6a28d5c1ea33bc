"""Figures of the built-in face parser:

    python benchmarks/parser.py --faces FACES --models MODELS

FACES is a folder with photos/ and portraits/; MODELS holds skin_clothes_hair_pan.onnx, which taught the parser.
Measured are: the time for one face in a picture of 1024 pixels and for each of 16, beside the detector's on the same
picture in the same run; and the agreement with the teacher on photos/, on which the parser was not trained. Needs
opencv and, for the agreement, onnxruntime.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from pack import load_pack
from torch import Tensor

load_pack()
from face_part_fusion.detectors.builtin import BuiltinDetector  # noqa: E402
from face_part_fusion.detectors.crops import crop, to_picture  # noqa: E402
from face_part_fusion.detectors.find import find_faces  # noqa: E402
from face_part_fusion.detectors.parser_builtin import BuiltinParser  # noqa: E402
from face_part_fusion.detectors.parser_regions import parse_with_builtin  # noqa: E402
from face_part_fusion.detectors.parsing import head_square  # noqa: E402
from face_part_fusion.detectors.parts import Face, FaceParts  # noqa: E402

TEACHER = "skin_clothes_hair_pan.onnx"
# Side of the teacher's input in pixels, and of the square that both are compared in, in CelebA-HQ's squares.
SIDE, WIDTH = 512, 1.6
# Shares of the square from which a class counts as there; less is a matter of its edge alone.
_THERE = 0.02


def say(name: str, *figures: str) -> None:
    sys.stdout.write(f"{name:<34}" + "".join(f"{figure:>18}" for figure in figures) + "\n")


def photo(path: Path, side: int = 0) -> Tensor:
    """(1, H, W, 3) RGB in 0..1; `side`: enlarged or shrunk so that the longer side has so many pixels."""
    picture = cv2.imread(str(path))
    if side:
        scale = side / max(picture.shape[:2])
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return torch.from_numpy(picture[..., ::-1].copy())[None].float() / 255


def speed(detector: BuiltinDetector, parser: BuiltinParser, path: Path) -> None:
    picture = photo(path, 1024)
    faces = find_faces(picture, detector)
    one, face = FaceParts(picture, (faces[0][:1],), (0,)), faces[0][0]
    many = FaceParts(picture.expand(16, -1, -1, -1), one.faces * 16, (0,) * 16)
    runs: dict[str, Callable[[], Any]] = {
        "detector and mesh": lambda: find_faces(picture, detector),
        "the grid alone (Part Composite)": lambda: parser(picture[0], face, wide=False),
        "hair (Face Part Mask)": lambda: parser(picture[0], face).of("hair"),
        "every part (Face Parse)": lambda: parse_with_builtin(one, parser),
    }
    times = {name: quickest(run, 7) for name, run in runs.items()}
    times["every part, each of 16"] = quickest(lambda: parse_with_builtin(many, parser), 2) / 16
    for name, seconds in times.items():
        say(name, f"{1000 * seconds:.0f} ms", f"{seconds / times['detector and mesh']:.2f} detections")


def quickest(run: Callable[[], Any], times: int) -> float:
    """Seconds of a core; the least of several runs, as other work on the machine only adds to them."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return min(taken)


def agreement(detector: BuiltinDetector, parser: BuiltinParser, photos: Path, teacher: Path) -> None:
    """Median and least IoU with the teacher, over the photographs in which both or either sees the class."""
    import onnxruntime

    net = onnxruntime.InferenceSession(str(teacher), providers=["CPUExecutionProvider"])
    shares: dict[str, list[float]] = {}
    for picture, face in largest_faces(photos, detector):
        square = head_square(face, WIDTH)
        skin, clothes, hair = seen_by_teacher(net, crop(picture.permute(2, 0, 1), square, SIDE))
        parse, size = parser(picture, face), (picture.shape[0], picture.shape[1])
        ours = {name: crop(parse.of(*classes)[None].expand(3, -1, -1), square, SIDE)[0] > 0.5 for name, classes in {
            "hair": ("hair",), "skin": ("face", "ears", "neck"), "neck": ("neck",), "body": ("body",),
        }.items()}  # fmt: skip
        # The teacher has no neck: it is its skin below the chin.
        below = crop(mask_below_chin(face, size)[None].expand(3, -1, -1), square, SIDE)[0] > 0.5
        theirs = {"hair": hair, "skin": skin, "neck": skin & below, "body": clothes}
        there = in_the_picture(square, size)
        for name, own in ours.items():
            own, wanted = (own & below if name == "neck" else own)[there], theirs[name][there]
            if float(wanted.float().mean()) >= _THERE:
                shares.setdefault(name, []).append(float((own & wanted).sum() / (own | wanted).sum()))
    for name, values in shares.items():
        low = sum(value < 0.5 for value in values)
        say(f"{name}: IoU with the teacher", f"median {statistics.median(values):.2f}", f"mean {np.mean(values):.2f}",
            f"{low} of {len(values)} below .5")  # fmt: skip


def largest_faces(photos: Path, detector: BuiltinDetector) -> Iterator[tuple[Tensor, Face]]:
    for path in sorted(photos.iterdir()):
        picture = photo(path)
        (faces,) = find_faces(picture, detector)
        if faces:
            yield picture[0], max(faces, key=lambda face: face.box[2] - face.box[0])


def seen_by_teacher(net: Any, rgb: Tensor) -> Tensor:
    """(3, 512, 512) RGB 0..1 -> (3, 512, 512) bool: skin, clothes, hair."""
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    fed = ((rgb - mean) / std)[None].numpy()
    return torch.from_numpy(net.run(None, {net.get_inputs()[0].name: fed})[0][0]) > 0.5


def in_the_picture(square: Tensor, size: tuple[int, int]) -> Tensor:
    """(512, 512) bool: the pixels of the square within a picture of `size` (H, W); beyond, its edge is repeated."""
    ys, xs = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    x, y = to_picture(torch.stack((xs, ys), -1).reshape(1, -1, 2), square[None], SIDE)[0].T
    return ((x >= 0) & (x < size[1]) & (y >= 0) & (y < size[0])).reshape(SIDE, SIDE)


def mask_below_chin(face: Face, size: tuple[int, int]) -> Tensor:
    """(H, W) 0 or 1: what lies below the face's oval, along the way from the eyes to the mouth."""
    oval = face.regions["skin"].rings[0]
    eyes, mouth = (torch.cat([r.rings[0] for r in face.region(part)]).mean(0) for part in ("eyes", "mouth"))
    down = (mouth - eyes) / (mouth - eyes).norm()
    ys, xs = torch.meshgrid(torch.arange(size[0]) + 0.5, torch.arange(size[1]) + 0.5, indexing="ij")
    along = xs * down[0] + ys * down[1]
    return (along > float((oval @ down).max())).float()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--faces", type=Path, required=True)
    arguments.add_argument("--models", type=Path)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    detector, parser = BuiltinDetector(), BuiltinParser()
    speed(detector, parser, sorted((options.faces / "portraits").iterdir())[1])
    if options.models:
        agreement(detector, parser, options.faces / "photos", options.models / TEACHER)


if __name__ == "__main__":
    main()
