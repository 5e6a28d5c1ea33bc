"""`face-part-fusion dataset`: photographs of people into a set of aligned faces for training."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..training.dataset.run import make_dataset
from ..training.dataset.settings import IDENTITIES, Settings
from ..training.shards.manifest import Manifest
from ..training.shards.shard import FORMATS
from .shards import Bars, add_workers, folders_of, tell_left_out, workers_of
from .version import version

EXAMPLES = """examples:
  face-part-fusion dataset portraits -o faces
  face-part-fusion dataset photos -o faces --recogniser w600k_r50.onnx --identities recogniser --workers 8
  face-part-fusion dataset /nfs/portraits -o /nfs/faces --ray auto

Run it again with the same words to go on after a stop: what was made stays."""


def add_dataset(dataset: argparse.ArgumentParser) -> None:
    defaults = Settings()
    dataset.description = (
        "Find the face of every photograph, align and parse it, and write the faces as tar files for webdataset, with "
        "a manifest. Photographs that cannot be used and those that are there twice are left out and named."
    )
    dataset.add_argument("folder", type=Path, metavar="FOLDER", help="photographs with one face each")
    dataset.add_argument("-o", "--output", type=Path, required=True, metavar="SHARDS", help="the folder of the set")
    dataset.add_argument("--size", type=int, default=defaults.size, help="side of the faces, default %(default)s")
    dataset.add_argument(
        "--format", choices=tuple(FORMATS), default=defaults.ending, help="of the pictures, default %(default)s"
    )
    dataset.add_argument(
        "--per-shard", type=int, default=defaults.per_shard, metavar="N", help="faces in a file, default %(default)s"
    )
    dataset.add_argument(
        "--recogniser", type=Path, metavar="FILE", help="a face recogniser (.onnx, .pth), whose vectors are stored"
    )
    dataset.add_argument(
        "--identities", choices=IDENTITIES, default=defaults.identities,
        help="of one person are photographs in one folder below FOLDER, or those that the recogniser finds alike",
    )  # fmt: skip
    dataset.add_argument(
        "--same-person", type=float, default=defaults.same_person, metavar="-1..1",
        help="the likeness from which the recogniser's are of one person, default %(default)s",
    )  # fmt: skip
    dataset.add_argument("--duplicates", action="store_true", help="keep photographs that are there twice")
    add_workers(dataset)
    dataset.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    settings = Settings(
        options.size, options.format, options.per_shard, options.identities,
        options.recogniser and options.recogniser.resolve(), options.same_person, options.duplicates,
    )  # fmt: skip
    folder, output = folders_of(options)
    bar = Bars()
    try:
        manifest = make_dataset(folder, output, settings, workers_of(options), bar.show, version())
    finally:
        bar.clear()
    _tell(manifest, output)


def _tell(manifest: Manifest, output: Path) -> None:
    left_out = [(each["picture"], each["reason"]) for each in manifest["bad_pictures"]]
    left_out += [(each["picture"], f"the same photograph as {each['of']}") for each in manifest["duplicates"]]
    tell_left_out(left_out, output)
    size = sum(shard["bytes"] for shard in manifest["shards"])
    print(
        f"wrote {output}: {manifest['faces']} faces of {manifest['people']} people in {len(manifest['shards'])} files, "
        f"{size / 1e6:.1f} MB, from {len(manifest['photographs'])} photographs"
    )
