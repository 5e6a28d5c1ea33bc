"""Model folders of the optional back ends, kept in the host's own table so that extra_model_paths.yaml applies."""

from __future__ import annotations

import os

import folder_paths

GROUNDING_DINO = "grounding-dino"
SAM = "sams"
NO_SAM = "none"
NO_FOLDER = "(none found)"


def register_folders() -> None:
    """Add models/grounding-dino and models/sams; doing it again, or after another pack did it, changes nothing."""
    _register(GROUNDING_DINO, {"folder"})
    _register(SAM, {".pth", ".pt", ".safetensors"})


def _register(name: str, extensions: set[str]) -> None:
    folder_paths.add_model_folder_path(name, os.path.join(folder_paths.models_dir, name))
    # The host gives a new folder no extensions at all, which would list nothing.
    paths, known = folder_paths.folder_names_and_paths[name]
    folder_paths.folder_names_and_paths[name] = (paths, set(known) | extensions)


def grounding_dino_names() -> list[str]:
    """Names of the folders below models/grounding-dino that hold a config.json; never empty."""
    names = {
        entry.name
        for root in folder_paths.get_folder_paths(GROUNDING_DINO)
        if os.path.isdir(root)
        for entry in os.scandir(root)
        if os.path.isfile(os.path.join(entry.path, "config.json"))
    }
    return sorted(names) or [NO_FOLDER]


def grounding_dino_folder(name: str) -> str:
    """The folder of that name. Raises ValueError when there is none."""
    if name in grounding_dino_names() and name != NO_FOLDER:
        for root in folder_paths.get_folder_paths(GROUNDING_DINO):
            if os.path.isfile(os.path.join(root, name, "config.json")):
                return os.path.join(root, name)
    where = " or ".join(folder_paths.get_folder_paths(GROUNDING_DINO))
    raise ValueError(
        f"the text-prompt detector has no GroundingDINO folder '{name}'. Put one (config.json, tokenizer and weights, "
        f"for example a copy of IDEA-Research/grounding-dino-tiny) into {where}, or set detector to 'built-in'"
    )


def sam_names() -> list[str]:
    return [NO_SAM, *folder_paths.get_filename_list(SAM)]


def sam_checkpoint(name: str) -> str | None:
    return None if name == NO_SAM else folder_paths.get_full_path_or_raise(SAM, name)


def insightface_root() -> str:
    """The folder that InsightFace packs of all node packs share; its models lie in models/insightface/models/<name>."""
    return os.path.join(folder_paths.models_dir, "insightface")
