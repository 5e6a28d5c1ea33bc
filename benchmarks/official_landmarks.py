"""Writes the landmarks of the official MediaPipe FaceMesh for benchmarks/detection.py.

Run it with an interpreter that has mediapipe 0.10.21 (and numpy < 2):

    python benchmarks/official_landmarks.py FACES OFFICIAL

FACES is a folder with photos/ and landmarks68/. Into OFFICIAL it writes landmarks.json, the landmarks of every
annotated face of landmarks68, and crops.npz, crops of the faces of photos with the points that the attention mesh gives
for exactly these pixels.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import mediapipe as mp
import numpy as np
from mediapipe.framework.formats import rect_pb2

# Margin per side, in face sizes, around an annotated face: the official pipeline is made for selfies.
MARGIN = 1.0
SIZE = 192
GRAPH = """
input_stream: "image"
input_stream: "square"
input_side_packet: "with_attention"
output_stream: "landmarks"
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:square"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:landmarks"
}
"""


def pipeline(refine: bool) -> mp.solutions.face_mesh.FaceMesh:
    return mp.solutions.face_mesh.FaceMesh(
        static_image_mode=True, max_num_faces=5, refine_landmarks=refine, min_detection_confidence=0.3
    )


def read(path: Path) -> np.ndarray:
    """(H, W, 3) RGB uint8."""
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def window(box: list[int], height: int, width: int) -> tuple[int, int, int, int]:
    """The annotated box (x, y, w, h) widened by MARGIN on each side, inside the picture: x0, y0, x1, y1."""
    x, y, w, h = box
    return (
        max(round(x - MARGIN * w), 0), max(round(y - MARGIN * h), 0),
        min(round(x + (1 + MARGIN) * w), width), min(round(y + (1 + MARGIN) * h), height),
    )  # fmt: skip


def meshes(picture: np.ndarray, net: mp.solutions.face_mesh.FaceMesh) -> list[np.ndarray]:
    """Every mesh (468 or 478, 2), x, y in pixels, of an RGB picture."""
    faces = net.process(np.ascontiguousarray(picture)).multi_face_landmarks or []
    size = np.array(picture.shape[1::-1])
    return [np.array([[p.x, p.y] for p in face.landmark]) * size for face in faces]


def annotated_faces(folder: Path, refine: bool) -> dict[str, list[list[list[list[float]]]]]:
    """{file: [meshes around face 0, around face 1, ...]} for the annotated faces of `folder`/landmarks.json."""
    result: dict[str, list[list[list[list[float]]]]] = {}
    with pipeline(refine) as net:
        for file, faces in json.loads((folder / "landmarks.json").read_text()).items():
            picture, result[file] = read(folder / file), []
            for face in faces:
                x0, y0, x1, y1 = window(face["box"], *picture.shape[:2])
                result[file].append([(mesh + (x0, y0)).tolist() for mesh in meshes(picture[y0:y1, x0:x1], net)])
    return result


def face_crops(folder: Path) -> Iterator[np.ndarray]:
    """Crops (SIZE, SIZE, 3) of the faces in `folder`; every second one is askew and tight."""
    with pipeline(True) as net:
        squares = [(p, m) for p in map(read, sorted(folder.glob("*.*g"))) for m in meshes(p, net)]
    for number, (picture, mesh) in enumerate(squares):
        x, y = mesh.max(0) / 2 + mesh.min(0) / 2
        side = float(np.ptp(mesh, axis=0).max()) * (0.7 if number % 2 else 1.5)
        matrix = cv2.getRotationMatrix2D((x, y), 20.0 * (number % 2), SIZE / side)
        matrix[:, 2] += SIZE / 2 - x, SIZE / 2 - y
        yield cv2.warpAffine(picture, matrix, (SIZE, SIZE), flags=cv2.INTER_AREA)


def points_of(crops: np.ndarray) -> np.ndarray:
    """Crops (N, SIZE, SIZE, 3) uint8 -> the attention mesh of each (N, 478, 3) in its pixels, NaN without a face.

    The graph gets the whole crop as its square, so that the net is shown exactly these pixels.
    """
    mp.resource_util.set_resource_dir(os.path.dirname(os.path.dirname(os.path.abspath(mp.__file__))))
    graph = mp.CalculatorGraph(graph_config=GRAPH)
    points = np.full((len(crops), 478, 3), np.nan, np.float32)

    def keep(_: str, packet: mp.Packet) -> None:
        face = mp.packet_getter.get_proto(packet)
        points[packet.timestamp.value] = [[SIZE * p.x, SIZE * p.y, SIZE * p.z] for p in face.landmark]

    graph.observe_output_stream("landmarks", keep)
    graph.start_run({"with_attention": mp.packet_creator.create_bool(True)})
    square = rect_pb2.NormalizedRect(x_center=0.5, y_center=0.5, width=1.0, height=1.0)
    for i, crop in enumerate(crops):
        image = mp.ImageFrame(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(crop))
        graph.add_packet_to_input_stream("image", mp.packet_creator.create_image_frame(image).at(i))
        graph.add_packet_to_input_stream("square", mp.packet_creator.create_proto(square).at(i))
        graph.wait_until_idle()
    graph.close_all_packet_sources()
    graph.wait_until_done()
    return points


def main() -> None:
    parser = argparse.ArgumentParser(description="Landmarks of the official MediaPipe FaceMesh.")
    parser.add_argument("faces", type=Path, help="folder with photos/ and landmarks68/")
    parser.add_argument("out", type=Path, help="folder to write landmarks.json and crops.npz to")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    landmarks = {
        "official, plain": annotated_faces(arguments.faces / "landmarks68", refine=False),
        "official, refined": annotated_faces(arguments.faces / "landmarks68", refine=True),
    }
    (arguments.out / "landmarks.json").write_text(json.dumps(landmarks))
    crops = np.stack(list(face_crops(arguments.faces / "photos")))
    np.savez(arguments.out / "crops.npz", crops=crops, points=points_of(crops))


if __name__ == "__main__":
    main()
