"""Faces from InsightFace, where that package and its models are present: 106 points, or five."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .parts import Face
from .picture import as_bytes

_ALTERNATIVE = "or set detector to 'built-in', which needs neither"
_FILES = "a face detector (det_10g.onnx, det_500m.onnx or scrfd_10g_bnkps.onnx) and, for 106 points, 2d106det.onnx"
# Pixels of the shortest side of a picture. In smaller ones no detector sees a face, and several resizers fail.
_SMALLEST = 8


class InsightDetector:
    """SCRFD faces with the 106 points of 2d106det, or SCRFD's own five where the model pack lacks that file.

    `name`: the model pack, a folder of .onnx files in `root`/models; `root` is ~/.insightface by default.
    `providers`: onnxruntime providers in order of preference, by default the package's own choice.
    Works with insightface 0.7.3 to 2.1. The package is MIT; its models are for non-commercial research only.

    Raises ValueError when the package, the folder or the detection model is missing, or a file cannot be read.
    Downloads nothing; the package itself would, for a missing folder.
    """

    def __init__(self, name: str = "buffalo_l", root: str | None = None, providers: Sequence[str] | None = None):
        analysis = _package()
        root = str(Path(root or "~/.insightface").expanduser())
        folder = _model_folder(Path(root) / "models" / name, name)
        options: dict[str, Any] = {} if providers is None else {"providers": list(providers)}
        try:
            self._app = analysis(name=name, root=root, allowed_modules=["detection", "landmark_2d_106"], **options)
        except Exception as problem:
            # A pack without a detection model fails a bare assert, a broken file one of onnxruntime's own classes.
            reason = str(problem) or "it holds no detection model"
            raise ValueError(
                f"InsightFace could not load {folder}: {reason}. It must hold {_FILES}; copy them anew, {_ALTERNATIVE}"
            ) from problem
        self._threshold: float | None = None

    def __call__(self, pictures: Tensor, threshold: float = 0.5) -> tuple[tuple[Face, ...], ...]:
        """Pictures (B, H, W, 3) float 0..1 -> for each its faces that score at least `threshold` (0..1), possibly none.

        Regions are left to `regions.with_regions`; five points give none. Angles are unknown. A picture with a side
        under 8 pixels has no face.
        """
        if threshold != self._threshold:
            self._app.prepare(ctx_id=0, det_thresh=threshold)
            self._threshold = threshold
        return tuple(self._faces(picture, threshold) for picture in pictures)

    def _faces(self, picture: Tensor, threshold: float) -> tuple[Face, ...]:
        if min(picture.shape[:2]) < _SMALLEST:
            return ()
        records = self._app.get(np.ascontiguousarray(as_bytes(picture)[..., ::-1]))
        return tuple(_face(record) for record in records if float(record["det_score"]) >= threshold)


def _face(record: Any) -> Face:
    """The package's record of a face -> ours."""
    x0, y0, x1, y1 = (float(value) for value in record["bbox"])
    score = min(1.0, float(record["det_score"]))
    for key, scheme in (("landmark_2d_106", "insightface106"), ("kps", "five")):
        if record.get(key) is not None:
            points = torch.tensor(np.asarray(record[key], dtype=np.float32))
            return Face((x0, y0, x1, y1), score, points, scheme)
    return Face((x0, y0, x1, y1), score)


def _package() -> Any:
    try:
        return import_module("insightface.app").FaceAnalysis
    except Exception as problem:
        # It may be absent, or fail in many ways, even with a KeyError, when one of its dependencies is too new.
        raise ValueError(
            f"the InsightFace detector needs the Python package insightface, which cannot be imported ({problem!r}). "
            "Install it with: pip install insightface onnxruntime (its models are for non-commercial use only), "
            f"{_ALTERNATIVE}"
        ) from problem


def _model_folder(folder: Path, name: str) -> Path:
    if any(folder.glob("*.onnx")) or _is_manifest_pack(folder):
        return folder
    if any((folder / name).glob("*.onnx")):
        raise ValueError(
            f"the InsightFace models lie one folder too deep, in {folder / name} (the archive of antelopev2 unpacks "
            f"like that); move the .onnx files from there to {folder}, {_ALTERNATIVE}"
        )
    state = "has no .onnx file" if folder.is_dir() else "does not exist"
    raise ValueError(
        f"the InsightFace model folder {folder} {state}, and nothing is downloaded. Put the model pack '{name}' there "
        f"(non-commercial use only): {_FILES}, {_ALTERNATIVE}"
    )


def _is_manifest_pack(folder: Path) -> bool:
    # The packs of insightface 2 list their files, in subfolders, in a manifest.
    try:
        return "manifest_version" in json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
