"""Descriptions of faces: time, and agreement of pose, expression and gaze with other people's networks.

    python benchmarks/describe.py --portraits FOLDER --models FOLDER

FOLDER of models: fsanet-*.onnx, face_landmarker_v2_with_blendshapes.task, gaze-estimation-adas-0002.xml. Needs
onnxruntime, ai-edge-litert and openvino.
"""

from __future__ import annotations

import argparse
import statistics
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pack import load_pack

load_pack()
from face_part_fusion.command.photo import load_photo  # noqa: E402
from face_part_fusion.detectors.builtin import BuiltinDetector  # noqa: E402
from face_part_fusion.detectors.crops import crop, squares_of_points  # noqa: E402
from face_part_fusion.detectors.find import find_faces  # noqa: E402
from face_part_fusion.detectors.motion import iris_positions  # noqa: E402
from face_part_fusion.detectors.parser_builtin import BuiltinParser  # noqa: E402
from face_part_fusion.detectors.parser_regions import parse_with_builtin  # noqa: E402
from face_part_fusion.detectors.parts import Face, FaceParts  # noqa: E402
from face_part_fusion.detectors.selection import choose  # noqa: E402
from face_part_fusion.metrics.describe.describe import describe  # noqa: E402
from face_part_fusion.metrics.describe.expression import movements  # noqa: E402
from face_part_fusion.metrics.describe.view import FaceView  # noqa: E402

# The points that MediaPipe's blendshape network takes, of 478 (mediapipe/tasks/cc/vision/face_landmarker).
SUBSET = [
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80, 81,
    82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153, 154,
    155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263,
    267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321,
    323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387,
    388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, *range(468, 478),
]  # fmt: skip
# Our movement -> the blendshapes of both sides, numbers in MediaPipe's order.
BLENDSHAPES = {
    "smile": (44, 45), "mouth_open": (25,), "eyes_closed": (9, 10), "brows_raised": (3, 4, 5), "brows_lowered": (1, 2),
}  # fmt: skip


class Judges:
    def __init__(self, folder: Path) -> None:
        import onnxruntime
        import openvino
        from ai_edge_litert.interpreter import Interpreter

        self._pose = [onnxruntime.InferenceSession(str(f)) for f in sorted(folder.glob("fsanet-*.onnx"))]
        with zipfile.ZipFile(folder / "face_landmarker_v2_with_blendshapes.task") as task:
            self._mesh, self._blend = (
                Interpreter(model_content=task.read(name))
                for name in ("face_landmarks_detector.tflite", "face_blendshapes.tflite")
            )
        self._gaze = openvino.Core().compile_model(str(folder / "gaze-estimation-adas-0002.xml"), "CPU")

    def pose(self, picture: torch.Tensor, face: Face) -> tuple[float, float, float]:
        """Yaw, pitch, roll in degrees, signs as ours."""
        x0, y0, x1, y1 = face.box
        square = torch.tensor([(x0 + x1) / 2, (y0 + y1) / 2, 1.5 * max(x1 - x0, y1 - y0), 0.0])
        cut = crop(picture.permute(2, 0, 1), square, 64).flip(0)[None] * 255
        given = ((cut - 127.5) / 128).numpy()
        yaw, pitch, roll = np.mean([s.run(None, {s.get_inputs()[0].name: given})[0][0] for s in self._pose], 0)
        return float(yaw), float(pitch), float(roll)

    def blendshapes(self, picture: torch.Tensor, face: Face) -> np.ndarray:
        square = squares_of_points(face.landmarks[None], 33, 263)[0]
        points = self._run(
            self._mesh, crop(picture.permute(2, 0, 1), square, 256).permute(1, 2, 0)[None].numpy(), 478 * 3
        )
        return self._run(self._blend, points.reshape(478, 3)[SUBSET, :2][None], 52)

    @staticmethod
    def _run(net: Any, given: np.ndarray, values: int) -> np.ndarray:
        net.allocate_tensors()
        net.set_tensor(net.get_input_details()[0]["index"], given.astype(np.float32))
        net.invoke()
        outputs = [net.get_tensor(each["index"]).ravel() for each in net.get_output_details()]
        return next(each for each in outputs if len(each) == values)

    def gaze(self, picture: torch.Tensor, face: Face) -> float:
        """How far the eyes look to the picture's right of where the head points, as the x of a unit vector."""
        eyes = []
        for corners in ((33, 133), (362, 263)):
            pair = face.landmarks[list(corners)]
            square = torch.tensor([*pair.mean(0).tolist(), 1.6 * float((pair[0] - pair[1]).norm()), 0.0])
            eyes.append((crop(picture.permute(2, 0, 1), square, 60).flip(0)[None] * 255).numpy())
        # Names are the person's: the right eye is at the picture's left.
        result = self._gaze({
            "right_eye_image": eyes[0], "left_eye_image": eyes[1],
            "head_pose_angles": np.zeros((1, 3), np.float32),
        })  # fmt: skip
        vector = next(iter(result.values()))[0]
        return float(vector[0] / np.linalg.norm(vector))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--portraits", type=Path, required=True)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--most", type=int, default=1000, help="portraits that are looked at")
    options = parser.parse_args()
    torch.set_num_threads(1)
    detector, reader = BuiltinDetector(), BuiltinParser()
    judges = None if options.models is None else Judges(options.models)
    times, rows = [], []
    for file in sorted(options.portraits.iterdir())[: options.most]:
        picture = load_photo(file)
        parts = parse_with_builtin(choose(picture, find_faces(picture, detector)), reader)
        times.append(seconds(parts))
        if judges is not None:
            rows.append(judged(parts, judges))
    print(f"describe: median {1000 * statistics.median(times):.1f} ms, fastest {1000 * min(times):.1f} ms of a core")
    if rows:
        report({name: np.array([row[name] for row in rows]) for name in rows[0]})


def seconds(parts: FaceParts) -> float:
    """Of a core, the best of three."""
    face, best = parts.face(0), float("inf")
    assert face is not None
    for _ in range(3):
        start = time.process_time()
        describe(parts.pictures[0], face)
        best = min(best, time.process_time() - start)
    return best


def judged(parts: FaceParts, judges: Judges) -> dict[str, tuple[float, float]]:
    picture, face = parts.pictures[0], parts.face(0)
    assert face is not None and face.angles is not None
    own, shapes = movements(FaceView(picture, face)), judges.blendshapes(picture, face)
    pairs = {name: (own[name], float(shapes[list(numbers)].mean())) for name, numbers in BLENDSHAPES.items()}
    pairs |= dict(zip(("yaw", "pitch", "roll"), zip(face.angles, judges.pose(picture, face), strict=True), strict=True))
    irises = iris_positions(face)
    assert irises is not None
    return pairs | {"gaze": ((irises[0] + irises[2]) / 2, judges.gaze(picture, face))}


def report(pairs: dict[str, np.ndarray]) -> None:
    for name, values in pairs.items():
        ours, theirs = values.T
        line = f"{name}: correlation {np.corrcoef(ours, theirs)[0, 1]:+.2f} over {len(values)}"
        if name in ("yaw", "pitch", "roll"):
            sign = np.sign(np.corrcoef(ours, theirs)[0, 1])
            gap = ours - sign * theirs
            line += f", median |difference| {np.median(np.abs(gap)):.1f} degrees, mean difference {gap.mean():+.1f}"
        print(line)


if __name__ == "__main__":
    main()
