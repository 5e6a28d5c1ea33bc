"""`face-part-fusion swap`: parts of several photographs into one, into many, or into a film."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..detectors.given import mask_per_picture
from ..detectors.parts import FaceParts
from ..fusion.composite import COMPOSITE_PARTS, COVERS, SKIN_AREAS, WARPS, PartReference, composite, in_lines
from .faces import Finder, add_choice, split_spec, tell
from .film import SMOOTH, check_film_options, is_film, swap_film
from .fuse import add_fuse_options, check_fuse_options, fuse_photographs
from .mask_file import load_mask
from .output import check_not_read
from .photo import EDITED, check_markable, save_photo
from .targets import Bar, Target, targets_of

EXAMPLES = """examples:
  face-part-fusion swap --target me.jpg --eyes anna.jpg --nose ben.jpg --mouth group.jpg#2 -o fused.png
  face-part-fusion swap --target me.jpg --mouth ben.jpg --strength mouth=0.6 --mask painted.png -o fused.jpg
  face-part-fusion swap --target holiday/ portrait.png --eyes anna.jpg -o fused/
  face-part-fusion swap --target clip.mp4 --eyes anna.jpg --nose ben.jpg -o fused.mp4
  face-part-fusion swap --target me.jpg --eyes anna.jpg --weights fap.bin --base SD15 -o fused.png"""


def add_swap(swap: argparse.ArgumentParser) -> None:
    number = "PHOTO#N takes face number N of it (see detect)"
    swap.description = (
        "Put parts of several photographs into one. Outside the change the photograph keeps its own pixels, with its "
        "colour profile and transparency; a JPEG its quality."
    )
    swap.add_argument(
        "--target", required=True, nargs="+", metavar="PHOTO",
        help=f"what is changed: photographs, folders of them, or a film, through which one face is followed; {number}",
    )  # fmt: skip
    for part in COMPOSITE_PARTS:
        swap.add_argument(
            f"--{part.replace('_', '-')}", dest=part, metavar="PHOTO",
            help=f"who gives {part.replace('_', ' ')}; {number}",
        )  # fmt: skip
    swap.add_argument("--strength", action="append", default=[], metavar="PART=0..1", help="how much of it, default 1")
    swap.add_argument("--warp", choices=WARPS, default=WARPS[0], help="keep the part's shape, or follow the target's")
    swap.add_argument("--tone", type=float, default=1.0, metavar="0..1", help="how far it takes the target's tone")
    swap.add_argument("--grow", type=float, default=1.0, help="size of the blended area, 1 as tuned")
    swap.add_argument("--light", type=float, default=1.0, metavar="0..1", help="how far it takes the target's light")
    swap.add_argument(
        "--skin-area", choices=SKIN_AREAS, default=SKIN_AREAS[0], help="whether --skin brings eyes, nose, mouth along"
    )  # fmt: skip
    swap.add_argument(
        "--covers", choices=COVERS, default=COVERS[0],
        help="spectacles, hair or a hand over a part: leave them out of it and on top of the target, or blend them too",
    )  # fmt: skip
    swap.add_argument(
        "--mask", metavar="PICTURE",
        help="white, or painted on transparent, where the target may change; of the target's shape",
    )  # fmt: skip
    swap.add_argument(
        "-o", "--output", required=True, metavar="OUT.png", help="the changed photograph; for several a folder"
    )
    swap.add_argument(
        "--smooth", type=float, metavar="0..1",
        help=f"how strongly the landmarks of a film are steadied, default {SMOOTH:g}; 0 is off",
    )  # fmt: skip
    swap.add_argument("--no-mark", action="store_true", help="do not write into the file that it was edited, and how")
    add_choice(swap)
    add_fuse_options(swap)
    swap.set_defaults(run=_swap)


def _swap(options: argparse.Namespace) -> int:
    strength_by_part = _strength_by_part(options.strength)
    photo_by_part = {part: getattr(options, part) for part in COMPOSITE_PARTS if getattr(options, part)}
    if not photo_by_part:
        raise ValueError("nothing to swap into --target: give at least one part, such as --eyes PHOTO")
    for part in strength_by_part.keys() - photo_by_part.keys():
        if part not in COMPOSITE_PARTS:
            raise ValueError(
                f"--strength names '{part}', which is not a part; take one of {', '.join(COMPOSITE_PARTS)}"
            )
        raise ValueError(f"--strength names '{part}', but no photograph gives it; add --{part.replace('_', '-')} PHOTO")
    check_fuse_options(options)
    check_film_options(options)
    if is_film(options.target[0]):
        _change_film(options, photo_by_part, strength_by_part)
        return 0
    targets = targets_of(options.target, options.output)
    photos = [split_spec(spec)[0] for spec in (*photo_by_part.values(), *(target.spec for target in targets))]
    check_not_read([target.output for target in targets], [*photos, *([options.mask] if options.mask else [])])
    if not options.no_mark:
        for target in targets:
            check_markable(target.output)
    find = Finder(options.order, options.threshold)
    if len(targets) == 1:
        _change(options, targets[0], find, photo_by_part, strength_by_part)
        return 0
    return _change_all(options, targets, find, photo_by_part, strength_by_part)


def _change_film(
    options: argparse.Namespace, photo_by_part: Mapping[str, str], strength_by_part: Mapping[str, float]
) -> None:
    photos = [split_spec(spec)[0] for spec in (*photo_by_part.values(), options.target[0])]
    check_not_read([options.output], [*photos, *([options.mask] if options.mask else [])])
    find = Finder(options.order, options.threshold)
    references = _references(find, photo_by_part, strength_by_part)
    mask, notes = load_mask(options.mask) if options.mask else (None, ())
    tell(f"--mask {options.mask}", notes)
    swap_film(options, find.detector, references, mask)


def _change_all(
    options: argparse.Namespace, targets: Sequence[Target], find: Finder, photo_by_part: Mapping[str, str],
    strength_by_part: Mapping[str, float],
) -> int:  # fmt: skip
    """Change every target that can be changed. Returns the exit status: 0, or 2 when one could not."""
    _references(find, photo_by_part, strength_by_part)
    kept = {split_spec(spec)[0] for spec in photo_by_part.values()}
    bar, failures = Bar(len(targets)), 0
    for number, target in enumerate(targets):
        path = split_spec(target.spec)[0]
        bar.show(number, path.name)
        try:
            _change(options, target, find, photo_by_part, strength_by_part, bar)
        except (ValueError, OSError) as error:
            bar.clear()
            print(f"face-part-fusion: {error}", file=sys.stderr)
            failures += 1
        if path not in kept:
            find.forget(path)
    bar.clear()
    if failures:
        print(f"face-part-fusion: {failures} of {len(targets)} targets were not changed", file=sys.stderr)
    return 2 if failures else 0


def _change(
    options: argparse.Namespace, spec: Target, find: Finder, photo_by_part: Mapping[str, str],
    strength_by_part: Mapping[str, float], bar: Bar | None = None,
) -> None:  # fmt: skip
    target = find(spec.spec)
    path = split_spec(spec.spec)[0]
    photo = find.all(path)[0]
    references = _references(find, photo_by_part, strength_by_part)
    mask, notes = _mask(options.mask, target) if options.mask else (None, ())
    report: tuple[tuple[str, ...], ...] = ()
    changed: Tensor | None = None
    if options.weights:
        fused = fuse_photographs(options, target, references, mask)
    else:
        fused, changed, report = composite(
            target, references, warp=options.warp, tone=options.tone, grow=options.grow, mask=mask, light=options.light,
            skin_area=options.skin_area, covers=options.covers,
        )  # fmt: skip
    how = "Parts fused in feature space (FuseAnyPart)" if options.weights else EDITED
    edits = [] if options.no_mark else [f"{how}: {', '.join(photo_by_part).replace('_', ' ')}"]
    same = torch.equal(fused, target.pictures) and any(any(each.strengths.values()) for each in references)
    if same and mask is not None:
        notes = (*notes, "nothing has changed: what would change lies outside of it")
    written = save_photo(fused[0], spec.output, edits, photo, None if changed is None else changed[0])
    if bar:
        bar.clear()
    tell(path, photo.notes)
    for reference in {split_spec(other)[0] for other in photo_by_part.values()} - {path}:
        tell(reference, find.all(reference)[0].notes if not bar else ())
    tell(f"--mask {options.mask}", notes)
    for line in in_lines(report).splitlines():
        print(f"{path}: {line}" if bar else line)
    if same and mask is None:
        tell(path, ("nothing has changed",))
    print(f"wrote {written}")


def _references(
    find: Finder, photo_by_part: Mapping[str, str], strength_by_part: Mapping[str, float]
) -> list[PartReference]:
    return [
        PartReference(find(spec), {part: strength_by_part.get(part, 1.0)}, name=spec)
        for part, spec in photo_by_part.items()
    ]


def _mask(path: str, target: FaceParts) -> tuple[Tensor, tuple[str, ...]]:
    try:
        mask, notes = load_mask(path)
        return mask_per_picture(mask, target.pictures, "where the target may change"), notes
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
