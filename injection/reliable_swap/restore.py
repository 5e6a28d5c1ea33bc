"""A soft face made sharp again by a restorer of the user's, on the crop that face restorers are trained with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ...detectors.parser_builtin import BuiltinParser
from ...detectors.parts import FaceParts, of_input
from ...detectors.progress import Progress, counted
from ...fusion.batches import checked_mask, mask_for
from ...fusion.canvas import black_masks
from ...fusion.cover import CoverFinder
from ...fusion.crop import FFHQ_POINTS
from ...fusion.face_swap import face_matrix, face_patch
from ...fusion.similarity import scale_of
from ..files.onnx_graph import read_graph
from ..files.onnx_network import OnnxNetwork, read_network

# Which faces are restored: the chosen ones of each picture, or all.
FACES = ("chosen", "all")
# Side in pixels of the face that an upscale model makes; restorers are trained on as many.
SIDE = 512
# How CodeFormer's file names the input that goes from its own face (0) to the photograph's (1).
_FIDELITY = "weight"
_KNOWN = (
    "gfpgan_1.4.onnx, codeformer.onnx, restoreformer_plus_plus.onnx or gpen_bfr_512.onnx, which take one square "
    "colour picture and, if they are CodeFormer, a number named 'weight'"
)


class Restorer(Protocol):
    """`name`: for reports. `size`: side of its crops in pixels. `fidelity`: whether it takes how true it stays."""

    name: str
    size: int
    fidelity: bool

    def restore(self, crop: Tensor, fidelity: float) -> Tensor:
        """A crop (size, size, 3), 0..1, aligned as FFHQ -> the face restored (s, s, 3), 0..1.

        `fidelity`: 0..1, from the restorer's own face to the photograph's.
        """


class OnnxRestorer(nn.Module):
    """GFPGAN, CodeFormer, RestoreFormer, GPEN and their kin: pixels of -1..1 to pixels of -1..1."""

    def __init__(self, network: OnnxNetwork, name: str) -> None:
        super().__init__()
        self.network, self.name = network, name
        self._picture = next(value.name for value in network.inputs if len(value.shape) == 4)
        self.size = int(next(value.shape[-1] or 0 for value in network.inputs if value.name == self._picture))
        self.fidelity = any(value.name == _FIDELITY for value in network.inputs)

    def restore(self, crop: Tensor, fidelity: float) -> Tensor:
        inputs = {self._picture: (crop * 2 - 1).movedim(-1, 0)[None].contiguous()}
        if self.fidelity:
            inputs[_FIDELITY] = torch.tensor([fidelity])
        return ((self.network(**inputs)[0][0].movedim(0, -1) + 1) / 2).clamp(0, 1)


class UpscaleRestorer:
    """A model that enlarges pictures `scale` times, on a crop that it enlarges to SIDE; or one that restores faces.

    `enlarge`: pictures (1, 3, h, w), 0..1 -> (1, 3, scale * h, scale * w).
    """

    name, fidelity = "the upscale model", False

    def __init__(self, enlarge: Callable[[Tensor], Tensor], scale: float) -> None:
        self._enlarge, self.size = enlarge, max(1, round(SIDE / scale))

    def restore(self, crop: Tensor, fidelity: float) -> Tensor:
        return self._enlarge(crop.movedim(-1, 0)[None])[0].movedim(0, -1).float().cpu().clamp(0, 1)


@dataclass(frozen=True)
class RestoreSettings:
    """`faces`: of FACES. `fidelity`: as in `Restorer`. `blend`: 0..1, how far the restored face shows.

    `covers`: whether spectacles, hair and hands over a face stay as they are.
    """

    faces: str = FACES[0]
    fidelity: float = 0.7
    blend: float = 0.8
    covers: bool = True


class Restored(NamedTuple):
    """`pictures`: (B, H, W, 3). `changed`: (B, H, W), 0..1. `report`: for each picture, one sentence a line."""

    pictures: Tensor
    changed: Tensor
    report: tuple[tuple[str, ...], ...]


def read_restorer(path: str | Path) -> OnnxRestorer:
    """The restorer in an ONNX file.

    Raises ValueError for an ONNX file of another kind or a damaged one, and for unknown operators without onnxruntime.
    """
    graph = read_graph(path, "restorer")
    pictures = [value for value in graph.inputs if len(value.shape) == 4]
    others = {value.name for value in graph.inputs} - {value.name for value in pictures}
    sides = pictures[0].shape[1:] if len(pictures) == 1 else ()
    fits = len(sides) == 3 and sides[0] == 3 and isinstance(sides[1], int) and sides[1] == sides[2]
    if not fits or not others <= {_FIDELITY}:
        inputs = ", ".join(f"{value.name} {value.shape}" for value in graph.inputs) or "none"
        raise ValueError(f"{path} is not a face restorer: its inputs are {inputs}; take {_KNOWN}")
    return OnnxRestorer(read_network(path, graph), Path(path).name)


def restore_faces(
    target: FaceParts, restorer: Restorer, settings: RestoreSettings, *, mask: Tensor | None = None,
    parser: BuiltinParser | None = None, progress: Progress | None = None,
) -> Restored:  # fmt: skip
    """The pictures of `target` with faces restored, in the light and colour that they have.

    `mask`: (B or 1, H, W), 0..1, 1 = the target may change there.
    `parser`: as in `composite`.
    `progress`: called after each picture.

    Raises ValueError for a setting outside its range, and as `face_patch` does.
    """
    _check(settings)
    masks = checked_mask(mask, target, "mask")
    finder = CoverFinder(parser) if settings.covers else None
    pictures, changed, report = target.pictures.clone(), black_masks(target.pictures.shape[:3]), []
    template = FFHQ_POINTS * (restorer.size / SIDE)
    for i in counted(range(len(target)), progress):
        faces = [] if settings.blend == 0 else target.all_chosen(i)
        faces = list(target.faces[i]) if faces and settings.faces == FACES[1] else faces
        lines = [f"{len(faces)} face{'' if len(faces) == 1 else 's'} restored by {restorer.name}"]
        for face in faces:
            with of_input("target", i, len(target)):
                patch = face_patch(
                    pictures[i], face, lambda crop, _: restorer.restore(crop, settings.fidelity), torch.zeros(0),
                    template, restorer.size, sharpness=False, amount=settings.blend,
                    cover=finder(pictures[i], face) if finder else None, mask=mask_for(masks, i),
                )  # fmt: skip
                larger = 1 / scale_of(face_matrix(face, FFHQ_POINTS))
            patch.lay(pictures[i], changed[i])
            if larger > 1 and len(patch.crop) / SIDE < larger:
                lines.append(
                    f"the face is {larger * SIDE:.0f} pixels in the photograph and {len(patch.crop)} in the "
                    "restorer's: what was sharp may get softer"
                )
        report.append(tuple(lines))
    return Restored(pictures, changed, tuple(report))


def _check(settings: RestoreSettings) -> None:
    if settings.faces not in FACES:
        raise ValueError(f"faces is '{settings.faces}'; choose one of {', '.join(FACES)}")
    for name, value in (("fidelity", settings.fidelity), ("blend", settings.blend)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}; it goes from 0 to 1")
