"""Files that nodes save in a folder below models/ and read again by their names."""

from __future__ import annotations

import os
import re

import folder_paths

from .folders import FACE_PARTS

NO_FACE = "(none: save one with Face Save)"


def saved_path(folder: str, name: str) -> str:
    """The file of that name. Raises ValueError when there is none."""
    path = folder_paths.get_full_path(folder, name)
    if path is None:
        where = " or ".join(folder_paths.get_folder_paths(folder))
        raise ValueError(f"saved names '{name}', which is not in {where}; press R to refresh the list")
    return path


def new_path(folder: str, name: str) -> str:
    """Where a file is saved under `name`. Raises ValueError for a name that is not one of a plain file."""
    if not re.fullmatch(r"\w[\w .-]*", name) or name.endswith("."):
        raise ValueError(
            f"save_as is '{name}'; write a plain name of letters, digits, spaces, - and _, without folders"
        )
    where = folder_paths.get_folder_paths(folder)[0]
    os.makedirs(where, exist_ok=True)
    return os.path.join(where, name.removesuffix(".safetensors") + ".safetensors")


def face_names() -> list[str]:
    """Files below models/face_parts; never empty."""
    return folder_paths.get_filename_list(FACE_PARTS) or [NO_FACE]
