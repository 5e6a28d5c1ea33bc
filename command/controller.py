"""`face-part-fusion new-controller`: a FaceX controller with initial weights, to train or to try a graph with."""

from __future__ import annotations

import argparse

from ..injection.faces.identity import RECOGNISER, read_recogniser, recogniser_name
from ..injection.faces.motion_groups import PROVIDER, WIDTHS
from ..injection.facex.control import FAMILIES
from ..injection.facex.file import new_controller, save_controller
from ..injection.facex.model import default_config

EXAMPLES = """examples:
  face-part-fusion new-controller -o controller.safetensors
  face-part-fusion new-controller -o controller.safetensors --family sd2 --no-identity"""


def add_new_controller(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", required=True, metavar="FILE.safetensors", help="where it goes")
    parser.add_argument("--family", choices=tuple(FAMILIES), default="sd15", help="which base model it is for")
    parser.add_argument("--no-identity", action="store_true", help="do without a face recogniser")
    parser.add_argument(
        "--motion", choices=tuple(WIDTHS), default=PROVIDER,
        help="who gives pose, expression, texture and light: our landmarks, or the network of Deep3DFaceRecon",
    )  # fmt: skip
    parser.add_argument(
        "--recogniser", metavar="FILE",
        help="the recognition file that it will be trained with (InsightFace's .onnx, arcface_torch's backbone.pth); "
        "the controller then refuses identity tokens of any other",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="another number, other initial weights; default 0")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    recogniser = recogniser_name(read_recogniser(options.recogniser)) if options.recogniser else RECOGNISER
    config = default_config(
        options.family, identity=not options.no_identity, motion=options.motion, recogniser=recogniser
    )
    module = new_controller(config, options.seed)
    count = sum(weight.numel() for weight in module.parameters())
    print(f"wrote {save_controller(module, options.output)} ({count:,} parameters; it changes nothing until trained)")
