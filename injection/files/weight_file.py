"""Weight files -> state dicts, read safely: nothing that a file asks to run is run."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file

EXTENSIONS = (".bin", ".pt", ".pth", ".safetensors")

# What accelerate's save_state writes for the model itself; the rest of such a folder is the optimiser's and loader's.
TRAINING_FILES = ("model.safetensors", "pytorch_model.bin")

_TAKE = "take a FuseAnyPart weight file (.bin, .pt, .pth or .safetensors) or a folder that the training program saved"


def weight_path(path: str | Path, take: str = _TAKE) -> Path:
    """The weight file itself: `path`, or the one in the training folder `path`. `take`: as in `read_weights`.

    Raises FileNotFoundError when there is none.
    """
    path = Path(path)
    if path.is_dir():
        found = [path / name for name in TRAINING_FILES if (path / name).is_file()]
        if not found:
            raise FileNotFoundError(f"the folder {path} holds neither {' nor '.join(TRAINING_FILES)}; {take}")
        return found[0]
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path} (looked for in {path.parent.resolve()}); check the path")
    return path


def read_weights(path: str | Path, take: str = _TAKE) -> Any:
    """What a weight file holds; usually a dict of tensors, or a dict of such dicts. Tensors stay on disk
    until used, where the file allows it.

    `path`: a file, or a training folder. `take`: which file to take instead, for messages. Raises FileNotFoundError,
    and ValueError for a file that is empty, cut short, misnamed, no weights, or a pickle that asks for anything but
    tensors.
    """
    path = weight_path(path, take)
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise ValueError(f"{path} is empty (0 bytes); fetch it again")
    if head[6:9] == b"\0\0{":
        return _read_safetensors(path)
    if path.suffix == ".safetensors" and (head[:4] == b"PK\3\4" or head[:1] == b"\x80"):
        # torch.load goes by the name and would not read it.
        raise ValueError(f"{path} is named .safetensors but holds a pickle; name it .bin, or convert it to safetensors")
    if head[:4] == b"PK\3\4":
        return _read_torch(path, _mappable(path, take), take)
    if head[:1] == b"\x80":
        return _read_torch(path, False, take)
    raise ValueError(f"{path} holds no weights: it begins with {_shown(head)}; {take}")


def _read_safetensors(path: Path) -> Any:
    try:
        return load_file(path, device="cpu")
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is cut short or damaged ({error}); fetch it again") from error


def _mappable(path: Path, take: str) -> bool:
    """Whether the archive's tensors lie in it as they are: a program that compresses archives may have packed it anew.

    Raises ValueError for an archive that is cut short and for one that holds a program.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
        raise ValueError(
            f"{path} is cut short or damaged (the end of the archive is missing); fetch it again"
        ) from error
    if any(entry.filename.rpartition("/")[2] == "constants.pkl" for entry in entries):
        raise ValueError(f"{path} is a TorchScript archive, a program with weights in it, and was not run; {take}")
    return all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)


def _read_torch(path: Path, mmap: bool, take: str) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        if "Weights only load failed" in str(error):
            raise ValueError(_refused(path, str(error), take)) from error
        raise ValueError(f"{path} is cut short or damaged ({_first_line(error)}); fetch it again") from error


def _refused(path: Path, said: str, take: str) -> str:
    named = re.search(r"GLOBAL ([\w.]+)", said)
    asked = f"it asks to call {named[1]}" if named else "it was not written by torch.save"
    return (
        f"{path} is a pickle that holds more than weights ({asked}). Loading was refused and nothing in it was run; "
        f"{take}, from where it was published"
    )


def _shown(head: bytes) -> str:
    text = head.decode("ascii", errors="replace")
    if text.startswith("version https://git-lfs"):
        return "a Git LFS pointer, so the file itself was not fetched"
    return f"'{text.splitlines()[0][:32]}'" if text.isprintable() or "\n" in text else f"bytes {head[:4].hex(' ')}"


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:160] or type(error).__name__
