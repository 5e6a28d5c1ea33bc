"""Portraits -> aligned crops with a class for every pixel, from a teacher, a person segmentation and the face mesh.

Where the three contradict each other, and beyond the picture's edge, the pixel is UNSURE and leaves the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ...detectors.builtin import BuiltinDetector
from ...detectors.crops import crop, to_crop, to_picture
from ...detectors.parser_net import CLASSES
from ...detectors.parsing import head_square
from ...detectors.parts import Face
from ...detectors.schemes import SCHEMES

# Arrays of float32 or float64; NumPy's own operations mix the two.
Floats = NDArray[Any]
UNSURE = 255
# Side of a stored crop in pixels, and how much larger it is than CelebA-HQ's square around the face.
SIDE, WIDTH = 512, 1.6
# How much larger than that square the second crop is that the teacher sees; heads fill it more, which it knows better.
_NEAR = 1.25
# Distance between the eyes in pixels of a stored crop, since that square is four such distances wide.
EYES = SIDE / (4 * WIDTH)
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
_OVAL = SCHEMES["mediapipe478"].rings["skin"][0]


def floats(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float32)


class Sample(NamedTuple):
    """One portrait.

    `rgb`: (512, 512, 3) uint8. `labels`: (512, 512) uint8, numbers of CLASSES or UNSURE.
    `points`: (478, 3) float32, x and y in pixels of the crop, z in the same unit, away from the viewer.
    """

    rgb: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    points: Floats


class Teachers:
    """The nets that label: `teacher` (.onnx: skin, clothes, hair) and `person` (.tflite: person or not)."""

    def __init__(self, teacher: Path, person: Path) -> None:
        import onnxruntime
        from ai_edge_litert.interpreter import Interpreter

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._teacher = onnxruntime.InferenceSession(str(teacher), options, providers=["CPUExecutionProvider"])
        self._person: Any = Interpreter(str(person), num_threads=1)
        self._person.allocate_tensors()
        self.detector = BuiltinDetector()

    def skin_clothes_hair(self, rgb: Floats) -> Floats:
        """(512, 512, 3) 0..1 -> (3, 512, 512) 0..1, the mean over the crop and its mirror picture."""
        fed = ((rgb - _MEAN) / _STD).transpose(2, 0, 1)
        name = self._teacher.get_inputs()[0].name
        seen, mirrored = (
            self._teacher.run(None, {name: np.ascontiguousarray(one)[None]})[0][0] for one in (fed, fed[..., ::-1])
        )
        return (seen + mirrored[..., ::-1]) / 2

    def person(self, rgb: Floats) -> Floats:
        """(512, 512, 3) 0..1 -> (512, 512) 0..1, the mean over the crop and its mirror picture."""
        small = rgb.reshape(256, 2, 256, 2, 3).mean((1, 3))
        total = self._segment(small) + self._segment(small[:, ::-1])[:, ::-1]
        return _resized(total / 2, SIDE)

    def _segment(self, rgb: Floats) -> Floats:
        self._person.set_tensor(self._person.get_input_details()[0]["index"], np.ascontiguousarray(rgb)[None])
        self._person.invoke()
        return self._person.get_tensor(self._person.get_output_details()[0]["index"])[0, ..., 0].copy()


def label(picture: torch.Tensor, teachers: Teachers, hat: bool, spectacles: bool) -> Sample | None:
    """The sample of the surest face in the picture (H, W, 3) 0..1; None without a face.

    `hat`, `spectacles`: whether the person wears them. What a hat could be is UNSURE otherwise; around eyes behind
    spectacles all is UNSURE.
    """
    faces = teachers.detector(picture[None])[0]
    if not faces:
        return None
    face = faces[0]
    square = head_square(face, WIDTH)
    rgb = _crop(picture, square)
    points = _points(face, square)
    close = _crop(picture, head_square(face, _NEAR))
    seen = np.concatenate((teachers.skin_clothes_hair(rgb), teachers.person(rgb)[None]))
    nearer = np.concatenate((teachers.skin_clothes_hair(close), teachers.person(close)[None]))
    inner = _enlarged(np.ones((1, SIDE, SIDE), np.float32), _NEAR) > 0.5
    maps = np.where(inner, (_enlarged(nearer, _NEAR) + seen) / 2, seen)
    skin, clothes, hair, person = maps
    labels = classes(skin, clothes, hair, person, points, hat)
    labels = _continued(labels, picture.shape[:2], square)
    if spectacles:
        labels[_around_eyes(points)] = UNSURE
    return Sample((rgb * 255).round().astype(np.uint8), labels, points)


def classes(
    skin: Floats, clothes: Floats, hair: Floats, person: Floats, points: Floats, hat: bool
) -> NDArray[np.uint8]:
    """Class of each pixel from the maps (512, 512) of the teachers and the mesh's points."""
    from skimage.measure import label as components

    number = {name: i for i, name in enumerate(CLASSES)}
    ys, xs = np.mgrid[:SIDE, :SIDE].astype(np.float32) + 0.5
    oval = _polygon(points[list(_OVAL), :2])
    inner = _polygon(_scaled(points[list(_OVAL), :2], 0.86))
    brow = points[[46, 276], 1].mean() - 0.1 * EYES
    nose, mouth, chin = points[2, 1], points[[61, 291], 1].mean(), points[152, 1]
    left, right = points[234, 0], points[454, 0]

    out = np.full((SIDE, SIDE), UNSURE, np.uint8)
    is_person, is_hair, is_skin = person > 0.5, hair > 0.5, skin > 0.5
    below = ys > chin + 0.15 * EYES
    # Dark clothes pass for hair with the teacher; hair hangs together with that on the head.
    tufts = components(is_hair & (person > 0.25), connectivity=1)
    numbers = np.unique(tufts[(ys < nose) & (tufts > 0)])
    is_hair &= np.isin(tufts, numbers) | ~is_person
    out[(person < 0.25) & (hair < 0.3) & (skin < 0.4)] = number["background"]
    out[is_person & below & ~is_hair & (skin < 0.35)] = number["body"]
    out[(person > 0.25) & is_hair & (skin < 0.5) & (clothes < 0.5)] = number["hair"]

    own = components(is_skin & (person > 0.4), connectivity=1)
    numbers = np.unique(own[oval & (own > 0)])
    own_skin = np.isin(own, numbers[numbers > 0]) & (hair < 0.4)
    sideways = (xs < left - 1) | (xs > right + 1)
    forehead = own_skin & ~oval & (ys < brow) & (skin > 0.8) & (hair < 0.15)
    ears = own_skin & ~oval & sideways & (ys > brow - 0.25 * EYES) & (ys < nose + 0.2 * EYES)
    near = (xs > left - 0.8 * EYES) & (xs < right + 0.8 * EYES)
    neck = own_skin & ~oval & (ys > mouth + 0.1 * EYES) & (clothes < 0.5)
    for area, name in ((forehead, "face"), (ears & near, "ears"), (neck, "neck")):
        out[area] = number[name]
    # The face itself is certain from the mesh, features and beards included; hair on it only where it hangs over it.
    out[oval & is_person & is_hair & (ys > nose)] = UNSURE
    out[oval & is_person & ~is_hair & (own_skin | inner)] = number["face"]
    out[inner & is_person & (ys > nose)] = number["face"]
    if hat:
        out[(person > 0.4) & (ys < brow - 0.2 * EYES) & ~is_hair & ~inner] = number["hat"]
    return out


def _crop(picture: torch.Tensor, square: torch.Tensor) -> Floats:
    return crop(picture.permute(2, 0, 1), square, SIDE).permute(1, 2, 0).numpy()


def _points(face: Face, square: torch.Tensor) -> Floats:
    flat = to_crop(face.landmarks[None], square[None], SIDE)[0]
    depth = torch.zeros(len(flat)) if face.depth is None else face.depth * SIDE / square[2]
    return torch.cat((flat, depth[:, None]), 1).numpy().astype(np.float32)


def _enlarged(maps: Floats, width: float) -> Floats:
    """Maps (C, 512, 512) of the crop that is `width` wide, laid into the stored crop: (C, 512, 512), 0 beyond."""
    side = round(SIDE * width / WIDTH)
    # Both crops have the same centre.
    low = (SIDE - side) // 2
    out = np.zeros((len(maps), SIDE, SIDE), np.float32)
    for target, source in zip(out, maps, strict=True):
        target[low : low + side, low : low + side] = _resized(source, side)
    return out


def _resized(area: Floats, side: int) -> Floats:
    return np.asarray(Image.fromarray(area.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR))


def _continued(labels: NDArray[np.uint8], size: tuple[int, ...], square: torch.Tensor) -> NDArray[np.uint8]:
    """Beyond the picture, where a crop repeats its edge: the edge's class for clothes and background, else UNSURE."""
    ys, xs = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    spots = to_picture(torch.stack((xs, ys), -1).reshape(1, -1, 2), square[None], SIDE)[0]
    edge = torch.stack((spots[:, 0].clamp(1, size[1] - 1), spots[:, 1].clamp(1, size[0] - 1)), -1)
    x, y = to_crop(edge[None], square[None], SIDE)[0].long().clamp(0, SIDE - 1).T.numpy()
    beyond = ((spots - edge).abs().amax(1) > 1).numpy()
    continued = labels[y, x]
    kept = np.isin(continued, [CLASSES.index("background"), CLASSES.index("body")])
    return np.where(beyond, np.where(kept, continued, UNSURE), labels.ravel()).reshape(SIDE, SIDE).astype(np.uint8)


def _around_eyes(points: Floats) -> NDArray[np.bool_]:
    (x0, y0), (x1, y1) = points[33, :2], points[263, :2]
    middle = (y0 + y1) / 2
    mask = Image.new("1", (SIDE, SIDE))
    left, right = min(x0, points[234, 0]) - 0.2 * EYES, max(x1, points[454, 0]) + 0.2 * EYES
    box = (left, middle - 0.75 * EYES, right, middle + 0.85 * EYES)
    ImageDraw.Draw(mask).rectangle(box, fill=1)
    return np.array(mask)


def _polygon(ring: Floats) -> NDArray[np.bool_]:
    mask = Image.new("1", (SIDE, SIDE))
    ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in ring], fill=1)
    return np.array(mask)


def _scaled(ring: Floats, factor: float) -> Floats:
    middle = ring.mean(0)
    return middle + factor * (ring - middle)


def prepare(
    portraits: list[Path],
    folder: Path,
    teachers: Teachers,
    hats: set[str],
    wearers: set[str],
    progress: Callable[[int], None],
) -> None:
    """Label every portrait that `folder` does not hold yet, one .npz each."""  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    for i, path in enumerate(portraits):
        goal = folder / f"{path.stem}.npz"
        if not goal.exists():
            rgb = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32) / 255
            sample = label(torch.from_numpy(rgb), teachers, path.stem in hats, path.stem in wearers)
            if sample is not None:
                np.savez_compressed(goal, **sample._asdict())
        progress(i + 1)
