"""Weight files -> state dicts, read safely: code in a file never runs."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

EXTENSIONS = (".bin", ".pt", ".pth", ".safetensors")

# The model in a folder that accelerate's save_state wrote; its other files are the optimiser's and the data loader's.
TRAINING_FILES = ("model.safetensors", "pytorch_model.bin")

_ADVICE = f"take a weight file ({', '.join(EXTENSIONS)}) or a folder that accelerate's save_state wrote"


def weight_path(path: str | Path, advice: str = _ADVICE) -> Path:
    """The weight file itself: `path`, or the one in the training folder `path`.

    advice: as in `read_weights`. Raises FileNotFoundError when there is no such file.
    """
    path = Path(path)
    if path.is_dir():
        models = [path / name for name in TRAINING_FILES if (path / name).is_file()]
        if not models:
            raise FileNotFoundError(f"the folder {path} holds neither {' nor '.join(TRAINING_FILES)}; {advice}")
        return models[0]
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path} (looked for in {path.parent.resolve()}); check the path")
    return path


def read_weights(path: str | Path, advice: str = _ADVICE) -> Any:
    """The content of a weight file: usually a dict of tensors, or a dict of such dicts (`flat_state` flattens it).

    path: a file, or a training folder. Tensors stay on disk until they are used, where the file allows it.
    advice: what to do when the file holds no weights, an imperative such as "take fap.bin", for messages.

    Raises FileNotFoundError, and ValueError for a file that is empty, cut short, misnamed, not a weight file, or a
    pickle that asks for anything but tensors.
    """
    path = weight_path(path, advice)
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise ValueError(f"{path} is empty (0 bytes); fetch it again")
    if _is_safetensors(head):
        return _read_safetensors(path)
    if path.suffix == ".safetensors" and (head[:4] == b"PK\3\4" or head[:1] == b"\x80"):
        # torch.load goes by the file's name and refuses it.
        raise ValueError(f"{path} is named .safetensors but holds a pickle; name it .bin, or convert it to safetensors")
    if head[:4] == b"PK\3\4":
        return _read_torch(path, _mappable(path, advice), advice)
    if head[:1] == b"\x80":
        return _read_torch(path, False, advice)
    raise ValueError(f"{path} holds no weights: it begins with {_shown(head)}; {advice}")


def read_metadata(path: str | Path) -> dict[str, str]:
    """What a safetensors file says of itself; empty for other files. Raises ValueError for a damaged file."""
    path = weight_path(path)
    with path.open("rb") as file:
        if not _is_safetensors(file.read(64)):
            return {}
    try:
        with safe_open(path, "pt") as opened:
            return dict(opened.metadata() or {})
    except SafetensorError as error:
        raise ValueError(_damaged(path, error)) from error


def _is_safetensors(head: bytes) -> bool:
    # The header's length in 8 bytes, of which the last two are 0 in any file, then its JSON.
    return head[6:9] == b"\0\0{"


def _read_safetensors(path: Path) -> Any:
    try:
        return load_file(path, device="cpu")
    except SafetensorError as error:
        raise ValueError(_damaged(path, error)) from error


def _mappable(path: Path, advice: str) -> bool:
    """Whether the archive's tensors can be mapped into memory; they cannot where a program has compressed it again.

    Raises ValueError for an archive that is cut short and for one that holds a program.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
        raise ValueError(_damaged(path, "the end of the archive is missing")) from error
    if any(entry.filename.rpartition("/")[2] == "constants.pkl" for entry in entries):
        raise ValueError(f"{path} is a TorchScript archive, a program with weights in it, and was not run; {advice}")
    return all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)


def _read_torch(path: Path, mmap: bool, advice: str) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        if "Weights only load failed" in str(error):
            raise ValueError(_refused(path, str(error), advice)) from error
        raise ValueError(_damaged(path, _first_line(error))) from error


def _damaged(path: Path, problem: object) -> str:
    return f"{path} is cut short or damaged ({problem}); fetch it again"


def _refused(path: Path, problem: str, advice: str) -> str:
    callable_name = re.search(r"GLOBAL ([\w.]+)", problem)
    reason = f"it asks to call {callable_name[1]}" if callable_name else "it was not written by torch.save"
    return (
        f"{path} is a pickle that holds more than weights ({reason}). Loading was refused and nothing in it was run; "
        f"{advice}, from where it was published"
    )


def _shown(head: bytes) -> str:
    text = head.decode("ascii", errors="replace")
    if text.startswith("version https://git-lfs"):
        return "a Git LFS pointer, so the file itself was not fetched"
    return f"'{text.splitlines()[0][:32]}'" if text.isprintable() or "\n" in text else f"bytes {head[:4].hex(' ')}"


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:160] or type(error).__name__
