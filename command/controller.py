"""`face-part-fusion new-controller`: a controller with initial weights, to train or to try a graph with."""

from __future__ import annotations

import argparse

from torch import nn

from ..injection.face_fusion.file import CONTEXTS, new_projections, save_projections
from ..injection.faces.identity import RECOGNISER, read_recogniser, recogniser_name
from ..injection.faces.motion_groups import PROVIDER, WIDTHS
from ..injection.facex.control import FAMILIES
from ..injection.facex.file import new_controller, save_controller
from ..injection.facex.model import default_config
from .output import output_file

EXAMPLES = """examples:
  face-part-fusion new-controller -o controller.safetensors
  face-part-fusion new-controller -o controller.safetensors --family sd2 --no-identity
  face-part-fusion new-controller --kind face-fusion -o projections.safetensors --family sdxl"""

FACEX, FACE_FUSION = "facex", "face-fusion"


def add_new_controller(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", required=True, metavar="FILE.safetensors", help="where it goes")
    parser.add_argument(
        "--kind", choices=(FACEX, FACE_FUSION), default=FACEX,
        help="a FaceX controller, or the trained keys and values by which Reference Fusion looks at photographs",
    )  # fmt: skip
    parser.add_argument(
        "--family", choices=tuple(dict.fromkeys((*FAMILIES, *CONTEXTS))), default="sd15",
        help="which base model it is for",
    )  # fmt: skip
    parser.add_argument("--no-identity", action="store_true", help="FaceX: do without a face recogniser")
    parser.add_argument(
        "--motion", choices=tuple(WIDTHS), default=PROVIDER,
        help="FaceX: who gives pose, expression, texture and light: our landmarks, or the network of Deep3DFaceRecon",
    )  # fmt: skip
    parser.add_argument(
        "--recogniser", metavar="FILE",
        help="FaceX: the recognition file that it will be trained with (InsightFace's .onnx, arcface_torch's "
        "backbone.pth); the controller then refuses identity tokens of any other",
    )  # fmt: skip
    parser.add_argument("--seed", type=seed, default=0, help="another number, other initial weights; default 0")
    parser.set_defaults(run=_run)


def seed(text: str) -> int:
    """A number that torch's generators take. Raises argparse's error for any other text."""
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 to {2**63 - 1}")
    return int(text)


def _run(options: argparse.Namespace) -> None:
    _check(options)
    if options.kind == FACE_FUSION:
        projections = new_projections(options.family, seed=options.seed)
        with output_file(options.output) as output:
            path = save_projections(projections, str(output))
        print(f"wrote {path} ({_count(projections):,} parameters; it gives a picture nothing until trained)")
        return
    recogniser = recogniser_name(read_recogniser(options.recogniser)) if options.recogniser else RECOGNISER
    config = default_config(
        options.family, identity=not options.no_identity, motion=options.motion, recogniser=recogniser
    )
    module = new_controller(config, options.seed)
    with output_file(options.output) as output:
        path = save_controller(module, str(output))
    print(f"wrote {path} ({_count(module):,} parameters; it changes nothing until trained)")


def _check(options: argparse.Namespace) -> None:
    """Raises ValueError for options of the other kind."""
    if options.kind == FACEX and options.family not in FAMILIES:
        raise ValueError(
            f"--family is {options.family}, and FaceX controllers are for {', '.join(FAMILIES)}; take one of these, or "
            f"--kind {FACE_FUSION}"
        )
    if options.kind == FACE_FUSION and (options.no_identity or options.recogniser or options.motion != PROVIDER):
        raise ValueError(f"--no-identity, --motion and --recogniser belong to --kind {FACEX}; leave them out")


def _count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())
