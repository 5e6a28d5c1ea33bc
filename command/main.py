"""The command `face-part-fusion`: the pack without ComfyUI."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

import torch
from torch import Tensor

from ..detectors.given import mask_per_picture
from ..detectors.parts import FaceParts
from ..fusion.composite import COMPOSITE_PARTS, SKIN_AREAS, WARPS, PartReference, composite, in_lines
from .controller import add_new_controller
from .convert import add_convert
from .demo import run_demo
from .detect import add_detect
from .faces import Finder, add_choice
from .fuse import add_fuse_options, check_fuse_options, fuse_photographs
from .photo import EDITED, check_markable, load_photo, save_photo


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns the exit status: 0, 1 when `detect` finds no face, 2 after an error message."""
    _allow_any_letter()
    options = _parser().parse_args(arguments)
    try:
        with torch.inference_mode():
            return options.run(options) or 0
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"face-part-fusion: {error}", file=sys.stderr)
        return 2


def _allow_any_letter() -> None:
    """A letter of a file's name that the console lacks is printed as its number, instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="face-part-fusion",
        description="Fuse face parts of several people into one photograph, with no model to download.",
    )
    commands = parser.add_subparsers(required=True, metavar="demo | swap | detect | convert | new-controller")
    demo = commands.add_parser("demo", help="show the main job on photographs that installed packages ship")
    demo.add_argument("-o", "--output", default="face-part-fusion-demo", metavar="FOLDER", help="where the sheet goes")
    demo.set_defaults(run=lambda options: run_demo(options.output))
    _add_swap(commands.add_parser("swap", help="parts of several photographs into one"))
    add_detect(commands.add_parser("detect", help="draw the faces and parts of a photograph"))
    add_convert(commands.add_parser("convert", help="a FuseAnyPart weight file into safetensors"))
    add_new_controller(commands.add_parser("new-controller", help="write a FaceX controller at initialisation"))
    return parser


def _add_swap(swap: argparse.ArgumentParser) -> None:
    photo = "a photograph; PHOTO#N takes face number N of it (see detect)"
    swap.add_argument("--target", required=True, metavar="PHOTO", help=f"the photograph that is changed: {photo}")
    for part in COMPOSITE_PARTS:
        swap.add_argument(f"--{part.replace('_', '-')}", dest=part, metavar="PHOTO", help=f"who gives {part}: {photo}")
    swap.add_argument("--strength", action="append", default=[], metavar="PART=0..1", help="how much of it, default 1")
    swap.add_argument("--warp", choices=WARPS, default=WARPS[0], help="keep the part's shape, or follow the target's")
    swap.add_argument("--tone", type=float, default=1.0, metavar="0..1", help="how far it takes the target's tone")
    swap.add_argument("--grow", type=float, default=1.0, help="size of the blended area, 1 as tuned")
    swap.add_argument("--light", type=float, default=1.0, metavar="0..1", help="how far it takes the target's light")
    swap.add_argument(
        "--skin-area",
        choices=SKIN_AREAS,
        default=SKIN_AREAS[0],
        help="whether --skin brings eyes, nose and mouth along",
    )
    swap.add_argument("--mask", metavar="PICTURE", help="white where the target may change; of the target's shape")
    swap.add_argument("-o", "--output", required=True, metavar="OUT.png")
    swap.add_argument("--no-mark", action="store_true", help="do not write into the file that it was edited, and how")
    add_choice(swap)
    add_fuse_options(swap)
    swap.set_defaults(run=_swap)


def _swap(options: argparse.Namespace) -> None:
    strength_by_part = _strength_by_part(options.strength)
    photo_by_part = {part: getattr(options, part) for part in COMPOSITE_PARTS if getattr(options, part)}
    if not photo_by_part:
        raise ValueError("nothing to swap: give at least one part, such as --eyes PHOTO")
    for part in strength_by_part.keys() - photo_by_part.keys():
        raise ValueError(f"--strength names '{part}', but no photograph gives it; add --{part.replace('_', '-')} PHOTO")
    check_fuse_options(options)
    if not options.no_mark:
        check_markable(options.output)
    find = Finder(options.order, options.threshold)
    target = find(options.target)
    references = [
        PartReference(find(spec), {part: strength_by_part.get(part, 1.0)}, name=f"--{part.replace('_', '-')} {spec}")
        for part, spec in photo_by_part.items()
    ]
    mask = _mask(options.mask, target) if options.mask else None
    report: tuple[tuple[str, ...], ...] = ()
    if options.weights:
        fused = fuse_photographs(options, target, references, mask)
    else:
        fused, _, report = composite(
            target, references, warp=options.warp, tone=options.tone, grow=options.grow, mask=mask, light=options.light,
            skin_area=options.skin_area,
        )  # fmt: skip
    how = "Parts fused in feature space (FuseAnyPart)" if options.weights else EDITED
    edits = [] if options.no_mark else [f"{how}: {', '.join(photo_by_part).replace('_', ' ')}"]
    path = save_photo(fused[0], options.output, edits)
    if not options.weights:
        print(in_lines(report))
    print(f"wrote {path}")


def _mask(path: str, target: FaceParts) -> Tensor:
    try:
        return mask_per_picture(load_photo(path).mean(-1), target.pictures, "where the target may change")
    except ValueError as error:
        raise ValueError(f"--mask {path}: {error}") from error


def _strength_by_part(options: Sequence[str]) -> dict[str, float]:
    """`PART=NUMBER` of every --strength -> part -> strength."""
    strengths = {}
    for text in options:
        part, _, value = text.partition("=")
        try:
            strengths[part.replace("-", "_")] = float(value)
        except ValueError:
            raise ValueError(f"--strength is '{text}'; write PART=NUMBER, for example eyes=0.6") from None
    return strengths
