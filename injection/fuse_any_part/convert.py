"""A FuseAnyPart weight file -> one flat safetensors file, which cannot hold code."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor

from ..files.weight_file import read_weights, weight_path
from .checkpoint import read_checkpoint


@dataclass(frozen=True)
class Converted:
    """What was written: `path`, FuseAnyPart's `kind` "A" or "B", `parameters`, `precision` and `size` in bytes."""

    path: Path
    kind: str
    parameters: int
    precision: str
    size: int


def convert(
    source: str | Path, target: str | Path, half: bool = False, progress: Callable[[int, int], None] | None = None
) -> Converted:
    """Check the weights in `source` (file or training folder) and write them, unchanged, into `target`.

    `half`: as float16, half the size. Tensor names are those of `checkpoint.FuseCheckpoint.flat`; the metadata say
    kind, source and precision. Raises ValueError as `read_checkpoint` does, when `target` is the source itself or does
    not end in .safetensors, and for a value that float16 cannot hold; FileNotFoundError without a source; OSError when
    it cannot be written. The target appears only when it is complete.
    """
    source, target = weight_path(source), Path(target)
    if target.suffix != ".safetensors":
        raise ValueError(f"the output is {target}; its name must end in .safetensors")
    if target.exists() and os.path.samefile(source, target):
        raise ValueError(f"the output {target} is the input itself; give another name with -o")
    checkpoint = read_checkpoint(read_weights(source), str(source), progress)
    tensors = {name: _half(name, t) if half else _own(t) for name, t in checkpoint.flat.items()}
    precisions = sorted({str(t.dtype).removeprefix("torch.") for t in tensors.values()})
    about = {"kind": checkpoint.kind, "source": source.name, "precision": ", ".join(precisions)}
    _write(tensors, target, {"format": "pt", **about}, source)
    parameters = sum(t.numel() for t in tensors.values())
    return Converted(target.resolve(), checkpoint.kind, parameters, about["precision"], target.stat().st_size)


def _half(name: str, tensor: Tensor) -> Tensor:
    small = tensor.to(torch.float16)
    if not torch.isfinite(small).all():
        raise ValueError(
            f"{name} holds {float(tensor.abs().max()):g}, which float16 cannot hold (its largest is 65504); convert "
            "without --half"
        )
    return _own(small)


def _own(tensor: Tensor) -> Tensor:
    """Contiguous, in memory of its own: safetensors refuses tensors that share theirs."""
    shared = tensor.untyped_storage().nbytes() != tensor.nbytes
    return tensor.clone(memory_format=torch.contiguous_format) if shared else tensor.contiguous()


def _write(tensors: dict[str, Tensor], target: Path, metadata: dict[str, str], source: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.part")
    try:
        save_file(tensors, unfinished, metadata)
        # safetensors lets nobody but the writer read the file; a server may run as somebody else.
        shutil.copymode(source, unfinished)
        os.replace(unfinished, target)
    except safetensors.SafetensorError as error:
        raise OSError(f"cannot write {target}: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
