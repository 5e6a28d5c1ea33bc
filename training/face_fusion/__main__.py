"""python -m face_part_fusion.training.face_fusion FOLDER --models MODELS --photographs ...: cut, encode, train, judge.

FOLDER keeps crops, latents and the state, so that a run that was cut off goes on. It makes a model in miniature, on the
processor: of grey faces of 128 pixels, with no prompt. face_fusion.safetensors in FOLDER is a file of projections as
Reference Fusion reads them, for the miniature's own UNet beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from ...injection.face_fusion.file import save_projections
from ..core.options import listed, main_first, process_number
from ..core.record import in_columns, one_sentence, to_terminal, write_picture
from ..core.settings import add_settings, read_settings
from .codec import Codec
from .judge import Trials, figures, pictures_of, trials
from .model import ReferenceDenoiser
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
    add_settings(parser, Settings())
    options = parser.parse_args()
    settings, running = read_settings(options, Settings())
    pictures = [path for folder in options.photographs for path in sorted(folder.glob("*.jpg"))]
    if len({path.stem for path in pictures}) < len(pictures):
        parser.error("two photographs have the same name; give every one a name of its own")
    cut = options.folder / "faces"
    with main_first(running):
        prepare(pictures, cut, lambda i: to_terminal(f"cut {i} of {len(pictures)}") if i % 50 == 0 else None)
        crops, codec = load(cut), Codec(options.models)
        latents = encoded(crops, codec, options.folder / "latents.pt")
    people = by_person(list(crops))
    judges = held_out(people)
    own = people_of(latents, {person: names for person, names in people.items() if person not in judges})
    judged = trials(crops, latents, [people[person] for person in sorted(judges)])

    def sheet(net: ReferenceDenoiser) -> Tensor:
        some = Trials(_shown(judged.latents), _shown(judged.photographs), _shown(judged.people))
        device = next(net.parameters()).device
        made = pictures_of(net, some, lambda latents: codec.decode(latents.cpu()), device=device)
        references = [codec.decode(some.latents[:, i]) for i in range(2)]
        return in_columns([some.photographs, *references, *(pictures for _, pictures in made)])

    net = train(
        own, options.folder / "state.pt", settings, to_terminal, options=running, sheet=sheet, facts=listed(latents)
    )
    if process_number():
        return
    save_projections(net.projections, options.folder / "face_fusion.safetensors")
    save_file(net.unet.state_dict(), options.folder / "unet.safetensors")
    recogniser = Recogniser(options.models)
    photographs = recogniser(judged.photographs)
    for guidance in options.guidance:
        to_terminal(f"guidance {guidance}")
        shown, cosines = {}, {}
        for name, made in pictures_of(net, judged, codec.decode, guidance=guidance):
            cosines[name] = (recogniser(made) * photographs).sum(1)
            shown[name] = _shown(made)
            to_terminal(f"{name}: mean {float(cosines[name].mean()):.3f}")
        for line in figures(cosines, judged.people):
            to_terminal(line)
        references = [codec.decode(_shown(judged.latents)[:, i]) for i in range(2)]
        made = in_columns([_shown(judged.photographs), *references, *shown.values()])
        write_picture(made, options.folder / f"samples_{guidance}.png")


def _shown(rows: Tensor) -> Tensor:
    """Some of them, of as many people as there are."""
    return rows[:: max(1, len(rows) // _SHOWN)][:_SHOWN]


if __name__ == "__main__":
    with one_sentence():
        main()
