"""python -m face_part_fusion.training.reliable_swap.swapper FOLDER --shards ... --recogniser ... --fixer ...

Trains FaceShifter's generator with the cycle triplets of face-part-fusion triplets. FOLDER keeps the state, so that a
run that was cut off goes on, and gets generator.safetensors, which Face Swap Load reads beside the same two files.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from ...injection.faces.fixer_net import read_fixer_net
from ...injection.faces.iresnet import read_face_vector_net
from ...injection.reliable_swap.aei_net import SIDE, AEINet
from ...injection.reliable_swap.source import trans_matrix
from .discriminator import PatchJudge, read_vgg
from .generator import Settings, Trainee, train_generator
from .losses import Faces
from .triplets import Mixture, Samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shards", type=Path, required=True, help="the folder that face-part-fusion triplets made")
    parser.add_argument("--recogniser", type=Path, required=True, help="a whole ArcFace iresnet, backbone.pth")
    parser.add_argument("--fixer", type=Path, required=True, help="a FixerNet's file")
    parser.add_argument("--vgg", type=Path, help="vgg19-dcbb9e9d.pth of torchvision; without it that term is left out")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=Settings.steps)
    parser.add_argument("--width", type=int, choices=(512, 640), default=Settings.width, help="of the identity")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--released", action="store_true", help="with the mistake of the released program")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    samples = Samples(sorted(options.shards.glob("*.tar")), options.batch, options.seed, Mixture())
    size = json.loads((options.shards / "manifest.json").read_bytes())["settings"]["size"]
    if size != SIDE:
        parser.error(f"{options.shards} has pictures of {size} pixels; make it anew with --size {SIDE}")
    faces = Faces(read_face_vector_net(options.recogniser), read_fixer_net(options.fixer), trans_matrix(SIDE))
    settings = Settings(options.steps, width=options.width, released=options.released, device=options.device)
    vgg = None if options.vgg is None else read_vgg(options.vgg)
    trainee = Trainee(AEINet(options.width), PatchJudge())
    net = train_generator(trainee, faces, vgg, samples, options.folder / "state.pt", settings, _log)
    weights = {key: value.cpu().contiguous() for key, value in net.state_dict().items()}
    save_file(weights, options.folder / "generator.safetensors")


def _log(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
