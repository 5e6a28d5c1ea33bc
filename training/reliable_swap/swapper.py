"""python -m face_part_fusion.training.reliable_swap.swapper FOLDER --shards ... --recogniser ... --fixer ...

Trains FaceShifter's generator with the cycle triplets of face-part-fusion triplets. FOLDER keeps the state, so that a
run that was cut off goes on, and gets generator.safetensors, which Face Swap Load reads beside the same two files.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ...injection.faces.fixer_net import full_vector, read_fixer_net
from ...injection.faces.iresnet import read_face_vector_net
from ...injection.reliable_swap.aei_net import SIDE, AEINet
from ...injection.reliable_swap.source import trans_matrix
from ..core.options import listed, process_number
from ..core.record import in_columns, one_sentence, to_terminal
from ..core.settings import add_settings, read_settings
from .discriminator import PatchJudge, read_vgg
from .generator import Settings, Trainee, train_generator
from .losses import Batch, Faces
from .triplets import Mixture, Samples

# Widths of the identity that the pack's loader knows, and pairs on a sample sheet.
_WIDTHS, _SHOWN = (512, 640), 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shards", type=Path, required=True, help="the folder that face-part-fusion triplets made")
    parser.add_argument("--recogniser", type=Path, required=True, help="a whole ArcFace iresnet, backbone.pth")
    parser.add_argument("--fixer", type=Path, required=True, help="a FixerNet's file")
    parser.add_argument("--vgg", type=Path, help="vgg19-dcbb9e9d.pth of torchvision; without it that term is left out")
    add_settings(parser, Settings())
    options = parser.parse_args()
    settings, running = read_settings(options, Settings())
    if settings.width not in _WIDTHS:
        parser.error(f"width is {settings.width}; choose 512, or 640 with the lower face")
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    shards = sorted(options.shards.glob("*.tar"))
    samples = Samples(shards, settings.batch, settings.seed, Mixture())
    manifest = json.loads((options.shards / "manifest.json").read_bytes())
    if (size := manifest["settings"]["size"]) != SIDE:
        parser.error(f"{options.shards} has pictures of {size} pixels; make it anew with --size {SIDE}")
    faces = Faces(read_face_vector_net(options.recogniser), read_fixer_net(options.fixer), trans_matrix(SIDE))
    vgg = None if options.vgg is None else read_vgg(options.vgg)
    trainee = Trainee(AEINet(settings.width), PatchJudge())
    shown = next(Samples(shards, _SHOWN, settings.seed, Mixture(triplets=0, same=0)))
    facts = {"shards": listed(f"{shard['name']} {shard['sha256']}" for shard in manifest["shards"])}
    net = train_generator(
        trainee, faces, vgg, samples, options.folder / "state.pt", settings, to_terminal, running,
        lambda generator: _sheet(generator, faces, shown, settings.width), facts,
    )  # fmt: skip
    if process_number():
        return
    weights = {key: value.cpu().contiguous() for key, value in net.state_dict().items()}
    save_file(weights, options.folder / "generator.safetensors")


def _sheet(generator: nn.Module, faces: Faces, shown: Batch, width: int) -> Tensor:
    """Targets, sources and results."""
    batch = shown.to(next(generator.parameters()).device)
    vector = full_vector(*faces(batch.source))[:, :width]
    result = generator.get_submodule("generator")(generator.get_submodule("encoder")(batch.target), vector)
    return in_columns([each.float().cpu() / 2 + 0.5 for each in (batch.target, batch.source, result)])


if __name__ == "__main__":
    with one_sentence():
        main()
