"""A FuseAnyPart weight file -> one flat safetensors file, a format that cannot hold code."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ..files.weight_file import weight_path
from .checkpoint import ADVICE, load_checkpoint


@dataclass(frozen=True)
class Converted:
    """The file that was written.

    kind: FuseAnyPart's variant, "A" or "B". parameters: how many. precision: dtypes of the tensors. size: in bytes.
    """

    path: Path
    kind: str
    parameters: int
    precision: str
    size: int


def convert(
    source: str | Path, target: str | Path, half: bool = False, progress: Callable[[int, int], None] | None = None
) -> Converted:
    """Check the weights in `source` and write them, unchanged, into `target`, which appears only when it is complete.

    source: a file or a training folder.
    target: a path that ends in .safetensors. Keys are those of `FuseCheckpoint.flat`; the metadata hold kind, source
        and precision.
    half: write float16, half the size.
    progress: called with the tensors checked so far and all of them.

    Raises ValueError as `load_checkpoint` does, when `target` is the source itself or has another ending, and for a
    value that float16 cannot hold; FileNotFoundError without a source; OSError when `target` cannot be written.
    """
    source, target = weight_path(source, ADVICE), Path(target)
    if target.suffix != ".safetensors":
        raise ValueError(f"the output is {target}; its name must end in .safetensors")
    if target.exists() and os.path.samefile(source, target):
        raise ValueError(f"the output {target} is the input itself; give another name with -o")
    checkpoint = load_checkpoint(source, progress)
    tensors = {name: _half(name, t) if half else _own(t) for name, t in checkpoint.flat.items()}
    precisions = sorted({str(t.dtype).removeprefix("torch.") for t in tensors.values()})
    metadata = {"kind": checkpoint.kind, "source": source.name, "precision": ", ".join(precisions)}
    _write(tensors, target, {"format": "pt", **metadata}, source)
    parameters = sum(t.numel() for t in tensors.values())
    return Converted(target.resolve(), checkpoint.kind, parameters, metadata["precision"], target.stat().st_size)


def _half(name: str, tensor: Tensor) -> Tensor:
    halved = tensor.to(torch.float16)
    if not torch.isfinite(halved).all():
        raise ValueError(
            f"{name} holds {float(tensor.abs().max()):g}, which float16 cannot hold (its largest is 65504); convert "
            "without --half"
        )
    return _own(halved)


def _own(tensor: Tensor) -> Tensor:
    """Contiguous, in memory of its own: safetensors refuses tensors that share theirs."""
    shared = tensor.untyped_storage().nbytes() != tensor.nbytes
    return tensor.clone(memory_format=torch.contiguous_format) if shared else tensor.contiguous()


def _write(tensors: dict[str, Tensor], target: Path, metadata: dict[str, str], source: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.part")
    try:
        save_file(tensors, unfinished, metadata)
        # safetensors makes the file readable for its owner only; a server may run as another user.
        shutil.copymode(source, unfinished)
        os.replace(unfinished, target)
    except SafetensorError as error:
        raise OSError(f"cannot write {target}: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
