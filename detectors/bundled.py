"""The weights that come with the pack, in detectors/weights (made by tools/convert_mediapipe.py, Apache-2.0)."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

FOLDER = Path(__file__).parent / "weights"
REINSTALL = "reinstall Face Part Fusion"

Net = TypeVar("Net", bound=nn.Module)


def load_bundled(net: Net, name: str, folder: Path = FOLDER) -> Net:
    """Fill `net` with `folder`/`name`, every key and shape checked, and return it in eval mode, without gradients.

    The file holds float16, the net computes in float32. Raises FileNotFoundError when the file is missing and
    ValueError when it is cut off, corrupt, or of another net.
    """
    path = folder / name
    if not path.is_file():
        raise FileNotFoundError(f"the pack's own file {path} is missing; {REINSTALL}")
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"the pack's own file {path} cannot be read ({error}); {REINSTALL}") from error
    expected = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    if shapes != expected:
        wrong = sorted(k for k in expected.keys() | shapes.keys() if expected.get(k) != shapes.get(k))
        raise ValueError(f"the pack's own file {path} does not fit, first at '{wrong[0]}'; {REINSTALL}")
    net.load_state_dict({key: _as_computed(value) for key, value in state.items()}, assign=True)
    return net.eval().requires_grad_(False)


def _as_computed(value: Tensor) -> Tensor:
    """Float32, channels last, in which the convolutions run fastest."""
    value = value.to(torch.float32)
    return value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value
