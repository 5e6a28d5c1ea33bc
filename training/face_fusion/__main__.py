"""python -m face_part_fusion.training.face_fusion FOLDER --models MODELS --photographs ...: cut, encode, train, judge.

FOLDER keeps crops, latents and the state, so that a run that was cut off goes on. It makes a model in miniature, on the
processor: of grey faces of 128 pixels, with no prompt. face_fusion.safetensors in FOLDER is a file of projections as
Reference Fusion reads them, for the miniature's own UNet beside it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from ...injection.face_fusion.file import save_projections
from .codec import Codec
from .judge import figures, pictures_of, trials
from .people import encoded, people_of
from .photographs import by_person, held_out, load, prepare
from .recogniser import Recogniser
from .train import Settings, train

_SHOWN = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=Path, required=True, help="TAESD's two files and the recogniser's")
    parser.add_argument("--photographs", type=Path, nargs="*", default=[], help="folders; only needed to cut them")
    parser.add_argument("--guidance", type=float, nargs="*", default=[1.0], help="judge with each of these")
    for name, value in vars(Settings()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    options = parser.parse_args()
    settings = Settings(**{name: getattr(options, name) for name in vars(Settings())})
    pictures = [path for folder in options.photographs for path in sorted(folder.glob("*.jpg"))]
    if len({path.stem for path in pictures}) < len(pictures):
        parser.error("two photographs have the same name; give every one a name of its own")
    prepare(pictures, options.folder / "faces", lambda i: _log(f"cut {i} of {len(pictures)}") if i % 50 == 0 else None)
    crops, codec = load(options.folder / "faces"), Codec(options.models)
    latents = encoded(crops, codec, options.folder / "latents.pt")
    people = by_person(list(crops))
    judges = held_out(people)
    own = people_of(latents, {person: names for person, names in people.items() if person not in judges})
    net = train(own, options.folder / "state.pt", settings, _log)
    save_projections(net.projections, options.folder / "face_fusion.safetensors")
    save_file(net.unet.state_dict(), options.folder / "unet.safetensors")
    judged = trials(crops, latents, [people[person] for person in sorted(judges)])
    recogniser = Recogniser(options.models)
    photographs = recogniser(judged.photographs)
    for guidance in options.guidance:
        _log(f"guidance {guidance}")
        shown, cosines = {}, {}
        for name, made in pictures_of(net, judged, codec.decode, guidance=guidance):
            cosines[name] = (recogniser(made) * photographs).sum(1)
            shown[name] = _shown(made)
            _log(f"{name}: mean {float(cosines[name].mean()):.3f}")
        for line in figures(cosines, judged.people):
            _log(line)
        references = [codec.decode(_shown(judged.latents)[:, i]) for i in range(2)]
        _sheet([_shown(judged.photographs), *references, *shown.values()], options.folder / f"samples_{guidance}.png")


def _shown(rows: Tensor) -> Tensor:
    """Some of them, of as many people as there are."""
    return rows[:: max(1, len(rows) // _SHOWN)][:_SHOWN]


def _sheet(rows: list[Tensor], path: Path) -> None:
    """Photographs that pictures are compared with, both references, and the pictures as `judge` orders them."""
    sheet = torch.cat([torch.cat(list(row), -1) for row in rows])
    Image.fromarray((sheet * 255).round().byte().numpy()).save(path)


def _log(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
