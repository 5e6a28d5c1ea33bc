"""The command `face-part-fusion`: the pack without ComfyUI."""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import torch

from . import controller, convert, demo, detect, swap

_EXAMPLES = """examples:
  face-part-fusion demo
  face-part-fusion detect group.jpg -o preview.png
  face-part-fusion swap --target me.jpg --eyes anna.jpg --mouth group.jpg#2 -o fused.png

Every subcommand has examples too: face-part-fusion swap --help"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns the exit status: 0, 1 when `detect` finds no face, 2 after an error message, also of one of several targets.
    """
    _allow_any_letter()
    options = _parser().parse_args(arguments)
    try:
        with torch.inference_mode():
            return options.run(options) or 0
    except (ValueError, OSError, ModuleNotFoundError) as error:
        return _failed(str(error))
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        return _failed("there is not enough memory for pictures of this size; shrink them, or close other programs")


def _failed(sentence: str) -> int:
    print(f"face-part-fusion: {sentence}", file=sys.stderr)
    return 2


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or "memory" in str(error).lower()


def _allow_any_letter() -> None:
    """A letter of a file's name that the console lacks is printed as its number, instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="face-part-fusion",
        description="Fuse face parts of several people into one photograph, with no model to download.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"face-part-fusion {_version()}")
    commands = parser.add_subparsers(required=True, metavar="demo | swap | detect | convert | new-controller")
    for name, summary, room, add in (
        ("demo", "show the main job on photographs that installed packages ship", demo, demo.add_demo),
        ("swap", "parts of several photographs into one", swap, swap.add_swap),
        ("detect", "draw the faces and parts of a photograph", detect, detect.add_detect),
        ("convert", "a FuseAnyPart weight file into safetensors", convert, convert.add_convert),
        ("new-controller", "write a FaceX controller at initialisation", controller, controller.add_new_controller),
    ):
        add(commands.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", epilog=room.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        ))  # fmt: skip
    return parser


def _version() -> str:
    """From the source beside this file, else from the installed package."""
    source = Path(__file__).parent.parent / "pyproject.toml"
    if source.is_file():
        stated = re.search(r'^version = "(.+)"$', source.read_text(encoding="utf-8"), re.MULTILINE)
        if stated:
            return stated[1]
    return metadata.version("face-part-fusion")
