"""`face-part-fusion convert`: a published weight file into safetensors."""

from __future__ import annotations

import argparse
import sys

from ..injection.fuse_any_part.convert import convert
from .output import check_not_read, output_file

EXAMPLES = """examples:
  face-part-fusion convert fap.bin -o fap.safetensors --half
  face-part-fusion convert outputs/checkpoint-20000 -o mine.safetensors"""


def add_convert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("weights", metavar="FAP.bin", help="fap.bin, or the training program's file or folder")
    parser.add_argument("-o", "--output", required=True, metavar="FAP.safetensors")
    parser.add_argument("--half", action="store_true", help="write float16: half the size")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    progress = _print_progress if sys.stderr.isatty() else None
    check_not_read([options.output], [options.weights])
    with output_file(options.output) as output:
        file = convert(options.weights, str(output), options.half, progress)
    print(
        f"wrote {file.path}: FuseAnyPart variant {file.kind}, {file.parameters:,} parameters, {file.precision}, "
        f"{file.size / 1e9:.2f} GB"
    )


def _print_progress(done: int, total: int) -> None:
    print(f"\rchecked {done} of {total} tensors", end="\n" if done == total else "", file=sys.stderr, flush=True)
