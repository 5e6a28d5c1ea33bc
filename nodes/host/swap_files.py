"""The files of face swappers, of saved identities and of face restorers."""

from __future__ import annotations

import os

import folder_paths

from .folders import FACE_IDENTITIES, FACE_RESTORE, FACE_SWAP, insightface_root

NO_SWAPPER = "(none: put a face swapper into models/face_swap)"
OWN_FIXER = "in the swapper's file"
NO_IDENTITY = "none (read the photographs)"
BY_UPSCALE_MODEL = "upscale_model"
# How the names of files begin that make identities for SimSwap and Ghost.
_CONVERTERS = ("crossface_", "arcface_converter_")


def swapper_names() -> list[str]:
    """Files below models/face_swap, then ONNX files in models/insightface itself; never empty.

    Other node packs keep inswapper_128.onnx there.
    """
    return [*_swap_files(fixers=False), *sorted(_beside_insightface())] or [NO_SWAPPER]


def fixer_names() -> list[str]:
    return [OWN_FIXER, *_swap_files(fixers=True)]


def swapper_path(name: str) -> str:
    """The file of that name. Raises ValueError when there is none."""
    path = folder_paths.get_full_path(FACE_SWAP, name) or _beside_insightface().get(name)
    if path is not None:
        return path
    where = " or ".join(folder_paths.get_folder_paths(FACE_SWAP))
    problem = "no face swapper was found" if name == NO_SWAPPER else f"swapper names '{name}', which is not there"
    raise ValueError(
        f"{problem}. Put G_mouth1_t38_post.pth (FaceShifter) or G_mouth1_st5.pth (SimSwap) into {where}; "
        "environment_preparation.md of github.com/ygtxr1997/ReliableSwap says where they are (for personal, "
        "non-commercial research only). Or put "
        "inswapper_128.onnx (InsightFace; non-commercial research only) or another ONNX swapper there, which also "
        "needs w600k_r50.onnx of the pack buffalo_l in models/insightface/models/buffalo_l. Then press R to refresh "
        "the list"
    )


def fixer_path(name: str) -> str | None:
    """The file of that name; None for the one in the swapper's own file. Raises ValueError when there is none."""
    if name == OWN_FIXER:
        return None
    needed = "fixer_net_casia_28_56_84_112.pth of ReliableSwap (non-commercial)"
    return _file_in(FACE_SWAP, name, "fixer_net", needed, OWN_FIXER)


def identity_names() -> list[str]:
    return [NO_IDENTITY, *folder_paths.get_filename_list(FACE_IDENTITIES)]


def restorer_names() -> list[str]:
    """ONNX files below models/facerestore_models, after the choice of an upscale model."""
    return [BY_UPSCALE_MODEL, *(n for n in folder_paths.get_filename_list(FACE_RESTORE) if n.endswith(".onnx"))]


def restorer_path(name: str) -> str | None:
    """The file of that name; None for an upscale model. Raises ValueError when there is none."""
    if name == BY_UPSCALE_MODEL:
        return None
    needed = "gfpgan_1.4.onnx, codeformer.onnx or another ONNX file of FaceFusion's models"
    return _file_in(FACE_RESTORE, name, "restorer", needed, BY_UPSCALE_MODEL)


def _file_in(folder: str, name: str, source: str, needed: str, otherwise: str) -> str:
    """The file that the input `source` names; `needed`: what belongs there. Raises ValueError when there is none."""
    path = folder_paths.get_full_path(folder, name)
    if path is None:
        where = " or ".join(folder_paths.get_folder_paths(folder))
        raise ValueError(
            f"{source} names '{name}', which is not there. Put {needed} into {where} and press R to refresh the list, "
            f"or choose '{otherwise}'"
        )
    return path


def _swap_files(fixers: bool) -> list[str]:
    """Names below models/face_swap: FixerNets, or all others but converters of identities, which swappers find."""
    names = [n for n in folder_paths.get_filename_list(FACE_SWAP) if not os.path.basename(n).startswith(_CONVERTERS)]
    return [n for n in names if os.path.basename(n).startswith(("fixer_net", "mouth_net")) == fixers]


def _beside_insightface() -> dict[str, str]:
    root = insightface_root()
    names = os.listdir(root) if os.path.isdir(root) else []
    return {n: os.path.join(root, n) for n in names if n.endswith(".onnx") and not n.startswith(_CONVERTERS)}
