"""The model folders that the pack reads, in the host's own table so that extra_model_paths.yaml applies."""

from __future__ import annotations

import os
import re

import folder_paths

from ...injection.files.weight_file import EXTENSIONS

GROUNDING_DINO = "grounding-dino"
SAM = "sams"
NO_SAM = "none"
IP_ADAPTER = "ipadapter"
FACEX = "facex"
DEEP3D = "deep3dfacerecon"
FACE_PARSING = "face_parsing"
FACE_FUSION = "face_fusion"
NO_PARSER = "none (masks only)"
NO_FOLDER = "(none found)"
FUSE_ANY_PART = "fuse_any_part"
FACE_SWAP = "face_swap"
FACE_IDENTITIES = "face_identities"
FACE_PARTS = "face_parts"
# As other node packs for face restoration name it.
FACE_RESTORE = "facerestore_models"
HEAD_LAYOUT_DIFFUSION = "head_layout_diffusion"
UNIF2ACE = "unif2ace"
NO_FUSE_ANY_PART = "(none: put fap.bin into models/fuse_any_part)"

# Files of a training folder that are not the model.
_TRAINING_STATE = re.compile(r"(optimizer|scheduler|sampler|scaler|dl_state_dict)(_\d+)?\.(bin|pt)")


def register_folders() -> None:
    """Add the folders below models/ that the pack reads; idempotent, also after another pack added them."""
    _register(GROUNDING_DINO, {"folder"})
    _register(SAM, {".pth", ".pt", ".safetensors"})
    _register(FUSE_ANY_PART, set(EXTENSIONS))
    _register(IP_ADAPTER, {".bin", ".safetensors"})
    _register(FACEX, {".safetensors"})
    _register(DEEP3D, {".pth", ".pt", ".safetensors"})
    _register(FACE_PARSING, {".onnx"})
    _register(FACE_SWAP, {*EXTENSIONS, ".onnx"})
    _register(FACE_IDENTITIES, {".safetensors"})
    _register(FACE_PARTS, {".safetensors"})
    _register(FACE_RESTORE, {".onnx"})
    _register(HEAD_LAYOUT_DIFFUSION, {".safetensors"})
    _register(FACE_FUSION, {".safetensors"})
    _register(UNIF2ACE, {*EXTENSIONS, ".json"})


def _register(name: str, extensions: set[str]) -> None:
    folder_paths.add_model_folder_path(name, os.path.join(folder_paths.models_dir, name))
    # The host gives a new folder no extensions, which would list no file.
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


def controller_names() -> list[str]:
    """Files below models/ipadapter and models/facex; never empty."""
    names = [*folder_paths.get_filename_list(IP_ADAPTER), *folder_paths.get_filename_list(FACEX)]
    return list(dict.fromkeys(names)) or [NO_FOLDER]


def controller_path(name: str) -> str:
    """The file of that name, first in models/ipadapter. Raises ValueError when there is none."""
    path = folder_paths.get_full_path(IP_ADAPTER, name) or folder_paths.get_full_path(FACEX, name)
    if path is None:
        where = " or ".join(folder_paths.get_folder_paths(IP_ADAPTER))
        raise ValueError(
            f"Face Controller Load has no file '{name}'. Put an IP-Adapter into {where}, for example "
            "ip-adapter-plus-face_sd15.safetensors from huggingface.co/h94/IP-Adapter, and press R to refresh the list"
        )
    return path


def fuse_any_part_names() -> list[str]:
    """Weight files below models/fuse_any_part, those of training folders too; never empty."""
    names = folder_paths.get_filename_list(FUSE_ANY_PART)
    return [n for n in names if not _TRAINING_STATE.fullmatch(os.path.basename(n))] or [NO_FUSE_ANY_PART]


def fuse_any_part_path(name: str) -> str:
    """The weight file of that name. Raises ValueError when there is none."""
    path = folder_paths.get_full_path(FUSE_ANY_PART, name)
    if path is not None:
        return path
    where = " or ".join(folder_paths.get_folder_paths(FUSE_ANY_PART))
    problem = "no weights were found" if name == NO_FUSE_ANY_PART else f"weights names '{name}', which is not there"
    raise ValueError(
        f"{problem}. Put fap.bin into {where}; it is published on Hugging Face as Thomas-Tom/FuseAnyPart (3.6 GB, its "
        "licence is not stated there), then press R to refresh the list"
    )


def head_layout_diffusion_names() -> list[str]:
    """Files below models/head_layout_diffusion; never empty."""
    return folder_paths.get_filename_list(HEAD_LAYOUT_DIFFUSION) or [NO_FOLDER]


def head_layout_diffusion_path(name: str) -> str:
    """The file of that name. Raises ValueError when there is none."""
    path = folder_paths.get_full_path(HEAD_LAYOUT_DIFFUSION, name)
    if path is not None:
        return path
    where = " or ".join(folder_paths.get_folder_paths(HEAD_LAYOUT_DIFFUSION))
    raise ValueError(
        f"Head Layout Diffusion Loader: weights names '{name}', which is not there. HS-Diffusion's weights were never "
        f"published; put a file that python -m face_part_fusion.training.ldm wrote into {where}, and press R to "
        "refresh the list"
    )


def face_fusion_names() -> list[str]:
    """Files below models/face_fusion; never empty."""
    return folder_paths.get_filename_list(FACE_FUSION) or [NO_FOLDER]


def face_fusion_path(name: str) -> str:
    """The file of that name. Raises ValueError when there is none."""
    path = folder_paths.get_full_path(FACE_FUSION, name)
    if path is None:
        where = " or ".join(folder_paths.get_folder_paths(FACE_FUSION))
        raise ValueError(
            f"mechanism is 'trained' and there is no file '{name}' of trained projections. Put one into {where} and "
            "press R to refresh the list, or set mechanism to 'training-free', which needs none"
        )
    return path


def insightface_root() -> str:
    """The folder that InsightFace packs of all node packs share; its models lie in models/insightface/models/<name>."""
    return os.path.join(folder_paths.models_dir, "insightface")


def deep3d_path() -> str:
    """Deep3DFaceRecon's weights: the first file below models/deep3dfacerecon. Raises ValueError when there is none."""
    for name in sorted(folder_paths.get_filename_list(DEEP3D)):
        return folder_paths.get_full_path_or_raise(DEEP3D, name)
    where = " or ".join(folder_paths.get_folder_paths(DEEP3D))
    raise ValueError(
        "controller takes motion from Deep3DFaceRecon, whose weights are not there. Put epoch_20.pth, which the "
        "readme of github.com/sicxu/Deep3DFaceRecon_pytorch links to (it rests on the Basel Face Model, for "
        f"non-commercial use only), into {where}; or take a controller that was made with motion from landmarks"
    )


def parser_names() -> list[str]:
    """Files and model folders below models/face_parsing, then "none"; never empty."""
    folders = {
        entry.name
        for root in folder_paths.get_folder_paths(FACE_PARSING)
        if os.path.isdir(root)
        for entry in os.scandir(root)
        if os.path.isfile(os.path.join(entry.path, "config.json"))
    }
    return [*sorted(folders), *folder_paths.get_filename_list(FACE_PARSING), NO_PARSER]


def parser_files(name: str) -> list[str]:
    """The file or folder of that name, with the config.json that names an ONNX file's classes; empty for "none"."""
    path = parser_path(name)
    if path is None or os.path.isdir(path):
        return [path] if path else []
    folder = os.path.dirname(path)
    configs = (os.path.join(parent, "config.json") for parent in (folder, os.path.dirname(folder)))
    return [path, *filter(os.path.isfile, configs)]


def parser_path(name: str) -> str | None:
    """The file or folder of that name, None for "none". Raises ValueError when there is none of that name."""
    if name == NO_PARSER:
        return None
    roots = folder_paths.get_folder_paths(FACE_PARSING)
    for root in roots:
        if name in parser_names() and os.path.exists(os.path.join(root, name)):
            return os.path.join(root, name)
    raise ValueError(
        f"Face Parse has no model '{name}'. Put an .onnx file or a model folder into {' or '.join(roots)} and reload "
        f"the page, or set model to '{NO_PARSER}' and wire masks in"
    )
