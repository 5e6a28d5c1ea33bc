"""Pictures of a folder -> what a trainer reads of each of them, once, a file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def prepare(
    pictures: Sequence[Path], folder: Path, read: Callable[[Tensor], Mapping[str, Any] | None],
    progress: Callable[[int], None],
) -> None:  # fmt: skip
    """Store what `read` makes of the pictures that `folder` does not have yet, NAME.npz each, whole or not at all.

    `read`: a picture (1, H, W, 3) float32 0..1 -> arrays by name; None leaves the picture out.
    `progress`: called with the number of pictures that are done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(pictures, 1):
        stored = folder / f"{path.stem}.npz"
        if not stored.exists() and (values := read(_opened(path))) is not None:
            part = stored.with_suffix(".part")
            with part.open("wb") as whole:
                np.savez_compressed(whole, **values)
            part.replace(stored)
        progress(number)


def _opened(path: Path) -> Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.asarray(image.convert("RGB"), dtype=np.float32) / 255)[None]
