"""`face-part-fusion triplets`: photographs of several people into a training set for face swappers."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..training.shards.manifest import Manifest
from ..training.shards.shard import FORMATS
from ..training.triplets.run import make_triplets
from ..training.triplets.settings import Settings
from .shards import Bars, add_workers, folders_of, tell_left_out, workers_of
from .version import version

EXAMPLES = """examples:
  face-part-fusion triplets portraits -o shards
  face-part-fusion triplets portraits -o shards --pairs 150000 --workers 16
  face-part-fusion triplets portraits -o shards --generator G_tmp_v5.pth
  face-part-fusion triplets /nfs/portraits -o /nfs/shards --ray auto

Run it again with the same words to go on after a stop: what was made stays."""


def add_triplets(triplets: argparse.ArgumentParser) -> None:
    defaults = Settings()
    triplets.description = (
        "Make cycle triplets (ReliableSwap) from photographs: each of two people with the other's face, and which of "
        "the four pictures are source, target and right answer. Written as tar files for webdataset, with a manifest."
    )
    triplets.add_argument(
        "folder", type=Path, metavar="FOLDER",
        help="photographs with one face each; those in one folder below it are of one person, others of a person each",
    )  # fmt: skip
    triplets.add_argument("-o", "--output", type=Path, required=True, metavar="SHARDS", help="the folder of the set")
    triplets.add_argument(
        "--pairs", type=int, default=defaults.pairs, metavar="N",
        help="pairs of photographs, each of which gives 4 triplets; 0, the default: one for each photograph",
    )  # fmt: skip
    triplets.add_argument("--size", type=int, default=defaults.size, help="side of the pictures, default %(default)s")
    triplets.add_argument(
        "--format", choices=tuple(FORMATS), default=defaults.ending, help="of the pictures, default %(default)s"
    )
    triplets.add_argument(
        "--per-shard", type=int, default=defaults.per_shard, metavar="N", help="pairs in a file, default %(default)s"
    )
    triplets.add_argument("--seed", type=int, default=defaults.seed, help="of the choice of pairs")
    triplets.add_argument(
        "--spectacles", action="store_true", help="take people who wear some too; they get the other's, or lose theirs"
    )
    triplets.add_argument(
        "--shape", type=float, default=defaults.shape, metavar="0..1",
        help="how far a warped face has the source's proportions, default %(default)s",
    )  # fmt: skip
    triplets.add_argument(
        "--generator", type=Path, metavar="FILE", help="a face swapper (.pth, .onnx) instead of warping the face"
    )
    triplets.add_argument("--recogniser", type=Path, metavar="FILE", help="its face recogniser, where it has none")
    triplets.add_argument("--fixer", type=Path, metavar="FILE", help="its FixerNet, where it has none")
    add_workers(triplets)
    triplets.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    settings = Settings(
        options.pairs, options.size, options.format, options.per_shard, options.spectacles,
        *(path and path.resolve() for path in (options.generator, options.recogniser, options.fixer)),
        options.shape, options.seed,
    )  # fmt: skip
    folder, output = folders_of(options)
    bar = Bars()
    try:
        manifest = make_triplets(folder, output, settings, workers_of(options), bar.show, version())
    finally:
        bar.clear()
    _tell(manifest, output)


def _tell(manifest: Manifest, output: Path) -> None:
    bad = [(each["picture"], each["reason"]) for each in manifest["bad_pictures"]]
    bad += [(" with ".join(each["pictures"]), each["reason"]) for each in manifest["left_out"]]
    tell_left_out(bad, output)
    size = sum(shard["bytes"] for shard in manifest["shards"])
    counts = " and ".join(f"{count} {role}" for role, count in manifest["triplets"].items())
    print(
        f"wrote {output}: {counts} triplets in {len(manifest['shards'])} files, {size / 1e6:.1f} MB, from "
        f"{len(manifest['photographs']) - len(manifest['bad_pictures'])} of {len(manifest['photographs'])} photographs"
    )
