"""The command `face-part-fusion`: the pack without ComfyUI."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

import torch

from . import controller, convert, dataset, demo, detect, measure, swap, triplets
from .version import version

_EXAMPLES = """examples:
  face-part-fusion demo
  face-part-fusion detect group.jpg -o preview.png
  face-part-fusion swap --target me.jpg --eyes anna.jpg --mouth group.jpg#2 -o fused.png

Every subcommand has examples too: face-part-fusion swap --help"""


# Exit status of a program that the user stopped, as shells have it.
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns the exit status: 0, 1 when `detect` finds no face, 2 after an error message, also of one of several targets,
    130 when the user stopped it.
    """
    _allow_any_letter()
    options, unknown = _parser().parse_known_args(arguments)
    if unknown:
        # With the usage of the subcommand; argparse itself shows the one of the whole command.
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        _refuse_empty(options)
        with torch.inference_mode():
            return options.run(options) or 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (ValueError, OSError, ModuleNotFoundError) as error:
        if isinstance(error, OSError) and error.filename is not None:
            return _failed(f"{error.filename}: {error.strerror}; check the path")
        return _failed(str(error))
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        return _failed("there is not enough memory for pictures of this size; shrink them, or close other programs")


def _failed(sentence: str) -> int:
    print(f"face-part-fusion: {sentence}", file=sys.stderr)
    return 2


def _refuse_empty(options: argparse.Namespace) -> None:
    """Raises ValueError for an empty word, as a shell makes it of a variable that is not set."""
    for name, value in vars(options).items():
        if "" in (value if isinstance(value, list) else [value]):
            raise ValueError(f"{name.replace('_', '-')} is empty; write a name there, or leave the option out")


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
    parser.add_argument("--version", action="version", version=f"face-part-fusion {version()}")
    commands = parser.add_subparsers(
        required=True, metavar="demo | swap | detect | convert | new-controller | triplets | dataset | measure"
    )
    for name, summary, room, add in (
        ("demo", "show the main job on photographs that installed packages ship", demo, demo.add_demo),
        ("swap", "parts of several photographs into one", swap, swap.add_swap),
        ("detect", "draw the faces and parts of a photograph", detect, detect.add_detect),
        ("convert", "a FuseAnyPart weight file into safetensors", convert, convert.add_convert),
        ("new-controller", "write a controller at initialisation", controller, controller.add_new_controller),
        ("triplets", "a training set for face swappers from photographs", triplets, triplets.add_triplets),
        ("dataset", "aligned faces of photographs, for training", dataset, dataset.add_dataset),
        ("measure", "how good results are, as a table and a report", measure, measure.add_measure),
    ):
        command = commands.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", epilog=room.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        command.set_defaults(parser=command)
        add(command)
    return parser
