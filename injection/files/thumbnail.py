"""The small picture in a file that people choose from a list."""

from __future__ import annotations

import base64
import io

from PIL import Image
from torch import Tensor

from ...detectors.picture import as_bytes

# Side in pixels.
SIDE = 128


def thumbnail_texts(thumbnail: Tensor) -> dict[str, str]:
    """The metadata of a safetensors file that ComfyUI's list of models shows as its picture.

    `thumbnail`: (h, w, 3) float32, 0..1.
    """
    file = io.BytesIO()
    Image.fromarray(as_bytes(thumbnail)).save(file, "JPEG", quality=90)
    return {"modelspec.thumbnail": f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"}
