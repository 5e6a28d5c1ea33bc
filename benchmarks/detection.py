"""Figures of the built-in detector:

    python benchmarks/detection.py --faces FACES --wheel WHEEL --official OFFICIAL

FACES is a folder with photos/, manifest.csv and landmarks68/; WHEEL is mediapipe 0.10.21's; OFFICIAL is a folder that
benchmarks/official_landmarks.py wrote. Measured are: parity with the TFLite files of the wheel in ai-edge-litert and,
for the attention mesh, which LiteRT cannot run, with MediaPipe itself; the landmark error against 68 annotated points,
beside the official pipeline's; recall and false alarms; and speed. Needs opencv.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from pack import load_pack

load_pack()
from face_part_fusion.detectors import crops, tiles  # noqa: E402
from face_part_fusion.detectors.attention_mesh import ATTENTION_POINTS  # noqa: E402
from face_part_fusion.detectors.builtin import BuiltinDetector  # noqa: E402

FILES = {
    "short": "face_detection/face_detection_short_range.tflite",
    "full": "face_detection/face_detection_full_range_sparse.tflite",
    "mesh": "face_landmark/face_landmark.tflite",
}
SIZES = {"short": 128, "full": 192, "mesh": 192}
# Points that mean the same in the 68 points of iBUG and in the mesh: eyes, nose tip, base and wings, mouth.
PAIRS = {
    36: 33, 37: 160, 38: 158, 39: 133, 40: 153, 41: 144, 42: 362, 43: 385, 44: 387, 45: 263, 46: 373, 47: 380,
    30: 1, 31: 98, 33: 2, 35: 327, 48: 61, 51: 0, 54: 291, 57: 17, 62: 13, 66: 14,
}  # fmt: skip


def say(name: str, *figures: str) -> None:
    sys.stdout.write(f"{name:<44}" + "".join(f"{figure:>26}" for figure in figures) + "\n")


def photo(path: Path) -> torch.Tensor:
    """(1, H, W, 3) RGB in 0..1."""
    return torch.from_numpy(cv2.imread(str(path))[..., ::-1].copy())[None].float() / 255


class Lite:
    """One TFLite net of the wheel; one picture at a time, as its own users run it."""

    def __init__(self, wheel: Path, net: str, threads: int) -> None:
        with zipfile.ZipFile(wheel) as archive, tempfile.NamedTemporaryFile(suffix=".tflite") as file:
            file.write(archive.read(f"mediapipe/modules/{FILES[net]}"))
            file.flush()
            self.net = Interpreter(file.name, num_threads=threads)
        self.net.allocate_tensors()
        self.outputs = [d["index"] for d in self.net.get_output_details()]

    def __call__(self, picture: np.ndarray) -> list[np.ndarray]:
        """(1, S, S, 3) -> its two outputs flat, the shorter first."""
        self.net.set_tensor(self.net.get_input_details()[0]["index"], picture)
        self.net.invoke()
        return sorted((self.net.get_tensor(i).reshape(-1) for i in self.outputs), key=len)


def parity(detector: BuiltinDetector, faces: Path, wheel: Path) -> None:
    """The nets on one square around every annotated face of landmarks68."""
    squares = []
    for name, annotated in json.loads((faces / "landmarks68/landmarks.json").read_text()).items():
        picture = photo(faces / "landmarks68" / name)[0].permute(2, 0, 1)
        for face in annotated:
            x, y, w, h = face["box"]
            squares.append((picture, torch.tensor([x + w / 2, y + h / 2, 1.5 * max(w, h), 0.0])))
    for net, size in SIZES.items():
        lite, worst, points = Lite(wheel, net, 2), 0.0, []
        for picture, square in squares:
            pixels = crops.crop(picture, square, size)[None]
            pixels = pixels if net == "mesh" else pixels * 2 - 1
            theirs = lite(np.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy()))
            with torch.inference_mode():
                ours = sorted((t.reshape(-1).numpy() for t in getattr(detector.net, net)(pixels)), key=len)
            worst = max(worst, *(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True)))
            if net == "mesh":
                a, b = ours[1].reshape(468, 3)[:, :2], theirs[1].reshape(468, 3)[:, :2]
                points.append(np.linalg.norm(a - b, axis=1) / np.linalg.norm(b[33] - b[263]) * 100)
        say(f"parity {net}: worst raw output difference", f"{worst:.2g}")
    say("parity mesh: mean / worst point, % of eyes", f"{np.mean(points):.2g} / {np.max(points):.2g}")


def attention_parity(detector: BuiltinDetector, official: Path) -> None:
    """The attention mesh on the crops of benchmarks/official_landmarks.py."""
    stored = np.load(official / "crops.npz")
    pixels = torch.from_numpy(stored["crops"]).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        ours = torch.cat([detector.net.attention(batch)[0] for batch in pixels.split(16)]).numpy()
    known = ~np.isnan(stored["points"][:, 0, 0])
    a, b = ours[known], stored["points"][known]
    eyes = np.linalg.norm(b[:, 33, :2] - b[:, 263, :2], axis=1)[:, None]
    apart = np.linalg.norm(a[..., :2] - b[..., :2], axis=2) / eyes * 100
    say("parity attention: mean / worst point, % of eyes", f"{apart.mean():.2g} / {apart.max():.2g}", f"{len(a)} crops")
    say("parity attention: worst depth, pixels", f"{np.abs(a - b)[..., 2].max():.2g}")


def landmark_error(mesh: np.ndarray, points: np.ndarray) -> float:
    """Mean distance over PAIRS in percent of the outer eye corners' distance."""
    apart = np.linalg.norm(mesh[list(PAIRS.values())] - points[list(PAIRS)], axis=1).mean()
    return float(apart / np.linalg.norm(points[45] - points[36]) * 100)


def landmarks(detector: BuiltinDetector, faces: Path, official: Path | None) -> None:
    """Landmark errors in the annotation's coordinates, where a whole number is the middle of a pixel."""
    theirs = json.loads((official / "landmarks.json").read_text()) if official else {}
    errors: dict[str, list[float]] = {who: [] for who in ("ours", *theirs)}
    for name, annotated in json.loads((faces / "landmarks68/landmarks.json").read_text()).items():
        own_meshes = [f.landmarks.numpy() - 0.5 for f in detector(photo(faces / "landmarks68" / name))[0]]
        for i, face in enumerate(annotated):
            points = np.array(face["pts"], dtype=float)
            for who in errors:
                meshes = own_meshes if who == "ours" else [np.array(mesh) for mesh in theirs[who][name][i]]
                errors[who].append(min((landmark_error(mesh, points) for mesh in meshes), default=np.inf))
    for who, values in errors.items():
        missed = sum(v > 50 for v in values)
        say(f"landmarks68 {who}: median error, missed", f"{np.median(values):.2f} %", f"{missed} of {len(values)}")


def recall(detector: BuiltinDetector, faces: Path) -> None:
    """Faces detected in each photograph, at most as many as it has; and pictures without a face that give one."""
    detected = present = 0
    alarms = []
    with (faces / "manifest.csv").open() as file:
        for row in csv.DictReader(file):
            count, annotated = len(detector(photo(faces / row["file"]))[0]), int(row["faces"])
            if annotated == 0 and count:
                alarms.append(Path(row["file"]).stem)
            if row["tags"].startswith("photo"):
                detected, present = detected + min(count, annotated), present + annotated
            if count != annotated:
                say(f"  {Path(row['file']).name}", f"{count} detected", f"{annotated} in the manifest")
    say("faces detected on photographs", f"{detected} of {present}", f"{detected / present:.1%}")
    say("false alarms", f"{len(alarms)} pictures", ", ".join(alarms))


def best(times: int, *jobs: Callable[[], object]) -> list[float]:
    """Milliseconds of the fastest run of each job. Jobs take turns; other work on the machine only slows runs down."""
    seconds: list[list[float]] = [[] for _ in jobs]
    for _ in range(times + 2):
        for job, of_job in zip(jobs, seconds, strict=True):
            start = time.perf_counter()
            job()
            of_job.append(time.perf_counter() - start)
    return [min(of_job[2:]) * 1000 for of_job in seconds]


def squares(shape: Sequence[int], size: int) -> int:
    """The number of squares of `size`, overlapping by the smallest face on both sides, that cover (..., H, W)."""
    down, across = (max(math.ceil((side - size) / (size - 2 * tiles.LEAST_FACE)), 0) + 1 for side in shape[-2:])
    return down * across


def speed(detector: BuiltinDetector, picture: torch.Tensor, wheel: Path, threads: int) -> None:
    """One picture; the TFLite nets on squares and crops of the same area; a batch of 16; and the meshes.

    The run that counts the squares comes before the clock starts, as in a host: the process keeps memory of that size
    from then on. LiteRT cannot run the attention mesh, so the like-for-like figure leaves it out.
    """
    counts = dict.fromkeys(SIZES, 0)

    def counted(net: str, look: Callable[..., object]) -> Callable[..., object]:
        def inner(pixels: torch.Tensor, *more: object) -> object:
            counts[net] += len(pixels) * squares(pixels.shape, SIZES[net])
            return look(pixels, *more)

        return inner

    with ExitStack() as stack:
        for net, look in (("short", "proposals"), ("full", "proposals"), ("mesh", "forward")):
            own = getattr(detector.net, net)
            stack.enter_context(mock.patch.object(own, look, counted(net, getattr(own, look))))
        detector(picture.clone())
    nets = {net: Lite(wheel, net, threads) for net in SIZES}
    inputs = {net: np.random.default_rng(0).random((1, size, size, 3), np.float32) for net, size in SIZES.items()}
    torch.set_num_threads(threads)

    def without_attention() -> None:
        # Points of one face and its mirror image, with a score that counts as a face.
        points = torch.zeros(2, ATTENTION_POINTS, 3), torch.full((2,), 9.0)
        with mock.patch.object(detector.net.attention, "forward", return_value=points):
            detector(picture)

    ours, same_nets, theirs = best(
        40,
        lambda: detector(picture),
        without_attention,
        lambda: [nets[net](inputs[net]) for net, n in counts.items() for _ in range(n)],
    )
    many = picture.repeat(16, 1, 1, 1)
    batch = best(4, lambda: detector(many))[0] / 16
    say(f"speed 1024 x 1024, {threads} threads: ours", f"{ours:.1f} ms", f"batch of 16: {batch:.1f} ms each")
    say(f"  TFLite nets alone on {counts}", f"{theirs:.1f} ms", f"ours is {ours / theirs:.2f} times")
    say("  ours without the attention mesh", f"{same_nets:.1f} ms", f"{same_nets / theirs:.2f} times")
    for number in (1, 16):
        face_crops = torch.rand(number, 3, 192, 192).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            jobs = partial(detector.net.mesh, face_crops), partial(detector.net.attention, face_crops)
            plain, attention = best(10, *jobs)
        say(f"  meshes on {number} crops: plain, attention", f"{plain:.1f} ms", f"{attention:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description="Figures of the built-in detector.")
    parser.add_argument("--faces", type=Path, required=True, help="folder with photos/, manifest.csv and landmarks68/")
    parser.add_argument("--wheel", type=Path, required=True, help="mediapipe-0.10.21-*.whl, for its TFLite files")
    parser.add_argument("--official", type=Path, help="folder that benchmarks/official_landmarks.py wrote")
    parser.add_argument("--threads", type=int, default=2, help="for the speed figures")
    names = ("parity", "attention", "landmarks", "recall", "speed")
    parser.add_argument("--only", choices=names, help="one table only")
    options = parser.parse_args()
    detector = BuiltinDetector()
    astronaut = photo(options.faces / "photos/skimage_astronaut.png").permute(0, 3, 1, 2)
    large = crops.shrink(astronaut, 1024, 1024).permute(0, 2, 3, 1).contiguous()
    tables: dict[str, Callable[[], None]] = {
        "parity": lambda: parity(detector, options.faces, options.wheel),
        "attention": lambda: attention_parity(detector, options.official) if options.official else None,
        "landmarks": lambda: landmarks(detector, options.faces, options.official),
        "recall": lambda: recall(detector, options.faces),
        "speed": lambda: speed(detector, large, options.wheel, options.threads),
    }
    for name, table in tables.items():
        if options.only in (None, name):
            table()


if __name__ == "__main__":
    main()
