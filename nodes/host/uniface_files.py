"""The files of UniF2ace and Show-o models below models/unif2ace."""

from __future__ import annotations

import folder_paths

from ...injection.unif2ace.file import ADVICE
from ...injection.unif2ace.show_o import TOKENISER_ADVICE
from ...injection.unif2ace.text_tokenizer import ADVICE as TEXT_ADVICE
from .folders import UNIF2ACE

NO_MODEL = "(none: put a Show-o file into models/unif2ace)"
IN_THE_MODEL = "in the model's file"
_TEXT = ".json"


def model_names() -> list[str]:
    """Weight files; never empty."""
    return [name for name in folder_paths.get_filename_list(UNIF2ACE) if not name.endswith(_TEXT)] or [NO_MODEL]


def image_tokenizer_names() -> list[str]:
    return [IN_THE_MODEL, *(name for name in model_names() if name != NO_MODEL)]


def text_tokenizer_names() -> list[str]:
    return [IN_THE_MODEL, *(name for name in folder_paths.get_filename_list(UNIF2ACE) if name.endswith(_TEXT))]


def model_path(name: str) -> str:
    """The file of that name. Raises ValueError when there is none."""
    path = folder_paths.get_full_path(UNIF2ACE, name)
    if path is not None:
        return path
    problem = "no model was found" if name == NO_MODEL else f"model names '{name}', which is not there"
    raise ValueError(f"{problem}. {ADVICE}. Put it into {_where()}, and press R to refresh the list")


def image_tokenizer_path(name: str) -> str | None:
    """The file of that name; None for the model's own. Raises ValueError when there is none."""
    return _beside("image_tokenizer", name, TOKENISER_ADVICE)


def text_tokenizer_path(name: str) -> str | None:
    """The file of that name; None for the model's own. Raises ValueError when there is none."""
    return _beside("text_tokenizer", name, TEXT_ADVICE)


def needed_beside(field: str, source: str) -> str:
    """What to do where the file `source` has no tokenizer of its own."""
    advice = TOKENISER_ADVICE if field == "image_tokenizer" else TEXT_ADVICE
    return (
        f"{field} is '{IN_THE_MODEL}', and {source} is a Show-o file, which has none; {advice}, put it into "
        f"{_where()}, press R and choose it"
    )


def _beside(field: str, name: str, advice: str) -> str | None:
    if name == IN_THE_MODEL:
        return None
    path = folder_paths.get_full_path(UNIF2ACE, name)
    if path is None:
        raise ValueError(f"{field} names '{name}', which is not there; {advice}, put it into {_where()}, and press R")
    return path


def _where() -> str:
    return " or ".join(folder_paths.get_folder_paths(UNIF2ACE))
