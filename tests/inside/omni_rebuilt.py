"""OmniRepresentationCondition rebuilt of small nodes, defaults, hidden regions: `omni_rebuilt.py HOST BASE PHOTO`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from host import finish, says, start

nodes = start()

import torch  # noqa: E402
from face_part_fusion.detectors.parts import FaceParts, Region  # noqa: E402
from face_part_fusion.fusion.regions.tasks import GIVERS, REGIONS, regions_from  # noqa: E402
from face_part_fusion.injection.facex.assemble import assemble_representation  # noqa: E402
from face_part_fusion.nodes.host.facex import encode_face  # noqa: E402
from omni_people import (  # noqa: E402
    IP,
    PAPER,
    SIDE,
    TRAINED,
    TWO,
    gap,
    in_regions,
    model,
    omni,
    sample,
    source,
    source_2,
    steerings,
    target,
    vae,
    vision,
    vision_l,
    words,
)  # fmt: skip


def rebuilt() -> dict[str, Any]:
    """Swaps with the small nodes, wired as the large one does them: the same to the last bit."""
    own, person = dict.fromkeys(REGIONS, "task's own"), with_head(target, ears=Region(mask=torch.zeros(1, 1)))
    how = {"lips": "source 2", "target": person, **PAPER, **TRAINED}
    controller, ours = TRAINED["controller"], omni("face swap", **how)
    picture, mask, _, _ = nodes["RegionAssemble"].execute(
        person, "face swap", **{**own, "lips": "source 2"}, shown="task's own", fill="grey", dilate=0.15, source=source,
        source_2=source_2,
    ).result  # fmt: skip
    encode, held = nodes["FaceRepresentationEncode"].execute, nodes["MaskedFusion"].execute
    hold = {"mask": mask, "start_percent": 0.0, "end_percent": 1.0, "keep_target": True}
    base = held(model, {"samples": vae.encode(target.pictures)}, **hold)[0]
    first = encode(person, vision_l, 0.25, controller, picture)[0]
    together, positive, negative, report = nodes["RepresentationAssemble"].execute(
        controller, first, "face swap", **{**own, "lips": "source 2"},
        source=encode(source, vision_l, 0.25, controller)[0], source_2=encode(source_2, vision_l, 0.25, controller)[0],
    ).result  # fmt: skip
    apply, people = nodes["ControllerApply"].execute, {"representation0": together}
    steered = apply(base, controller, 1.0, 0.0, 1.0, 0.05, 0.1, "middle = 0", None, None, people)[0]
    weighed = omni("face swap", **how, block_weights="middle = 0")
    latent = {"samples": vae.encode(picture)}
    prompt = omni("face swap", **how, positive=None, negative=None)
    eyes, lips = (encode(p, vision, 0.25, **{part: 1.0})[0] for p, part in ((source, "eyes"), (source_2, "mouth")))
    edit = omni("attribute edit", **TWO, **IP)
    kept = held(model, {"samples": vae.encode(target.pictures)}, **{**hold, "mask": edit[5]})[0]
    by_ip = apply(
        kept, IP["controller"], 1.0, 0.0, 1.0, 0.05, 0.1, "", target, None,
        {"representation0": eyes, "representation1": lips}, "upper one",
    )[0]  # fmt: skip
    return {
        "picture": torch.equal(picture, ours[4]) and torch.equal(mask, ours[5]),
        "facex": torch.equal(sample(*weighed[:4]), sample(steered, words["positive"], words["negative"], latent)),
        "weights": gap(sample(*weighed[:4]), sample(*ours[:4])),
        "prompt": torch.equal(prompt[1][0][0], positive[0][0]) and torch.equal(prompt[2][0][0], negative[0][0]),
        "report": [report, ours[6]], "ip": torch.equal(sample(*edit[:4]), sample(by_ip, edit[1], edit[2], edit[3])),
        "no target": says(lambda: apply(
            model, IP["controller"], 1.0, 0.0, 1.0, 0.05, 0.1, "", None, None, {"representation0": eyes}, "upper one"
        )),
    }  # fmt: skip


def automatic() -> dict[str, Any]:
    """What the sampler starts from where the user has not chosen: the paper's picture with FaceX, a paste without."""
    chosen = {"shown": "automatic", "fill": "automatic", "tone": 1.0}
    free, pasted = omni("face swap", **chosen), omni("face swap", tone=1.0)
    facex = omni("face swap", **chosen, **TRAINED)
    return {
        "without": torch.equal(free[4], pasted[4]) and torch.equal(free[5], pasted[5]),
        "facex": torch.equal(facex[4], omni("face swap", **{**PAPER, "tone": 0.0}, **TRAINED)[4]),
        "differ": gap(facex[4], free[4]), "ip": torch.equal(omni("face swap", **chosen, **IP)[4], free[4]),
        "edit": torch.equal(
            omni("attribute edit", skin="source", **chosen, **TRAINED)[4],
            omni("attribute edit", skin="source", shown="paste", fill="grey", tone=0.0, **TRAINED)[4],
        ),
    }  # fmt: skip


def with_head(parts: FaceParts, **regions: Region | None) -> FaceParts:
    """The face with hair, and ears unless they are taken away."""
    face = parts.face(0)
    x0, y0, x1, y1 = (round(v) for v in face.box)
    hair, ears = torch.zeros(SIDE, SIDE), torch.zeros(SIDE, SIDE)
    hair[max(0, y0 - 20) : y0 + 5, x0:x1] = 1
    ears[(y0 + y1) // 2 : (y0 + y1) // 2 + 15, max(0, x0 - 6) : x0] = 1
    found = {**face.regions, "hair": Region(mask=hair), "ears": Region(mask=ears), **regions}
    found = {part: region for part, region in found.items() if region is not None}
    return replace(parts, faces=((replace(face, regions=found),),))


def heads() -> dict[str, Any]:
    """Head swaps with ears or hair that are hidden or bald, on either side, and with ears that the node must parse."""
    none, whole = Region(mask=torch.zeros(1, 1)), {"target": with_head(target), "source": with_head(source)}
    pairs = {
        "whole": whole, "hidden ears": {**whole, "source": with_head(source, ears=none)},
        "unknown ears": {"target": with_head(target, ears=None), "source": with_head(source, ears=None)},
        "bald source": {**whole, "source": with_head(source, hair=none)},
        "bald target": {**whole, "target": with_head(target, hair=none)},
    }  # fmt: skip
    found = {}
    for name, people in pairs.items():
        by_ip, by_facex = omni("head swap", **people, **IP), omni("head swap", **people, **TRAINED)
        found[name] = {
            "ip": sorted(steerings(by_ip)), "reports": [by_ip[6], by_facex[6]],
            "finite": all(bool(sample(*made[:4], steps=1).isfinite().all()) for made in (by_ip, by_facex)),
        }  # fmt: skip
    empty = with_head(source, hair=none)
    found["small node"] = says(lambda: nodes["FaceRepresentationEncode"].execute(empty, vision, 0.25, hair=1.0))
    encode = nodes["FaceRepresentationEncode"].execute
    found["encoder's report"] = encode(empty, vision_l, 0.25, TRAINED["controller"])[2]
    return found


def choices() -> dict[str, bool]:
    """Identity and motion are whose the user says."""
    alone = {"positive": None, "negative": None, **TRAINED}
    made = omni("face swap", identity="source 2", motion="source", **alone)
    people = {name: in_regions(person) for name, person in zip(GIVERS, (target, source, source_2), strict=False)}
    encoded = {name: encode_face(*TRAINED.values(), person) for name, person in people.items()}
    inpaint, module = encode_face(*TRAINED.values(), people["target"], made[4]).inpaint, TRAINED["controller"].module
    known = assemble_representation(
        encoded, regions_from("face swap"), module.regions.empty, inpaint, identity="source 2", motion="source"
    )
    return {
        "chosen": torch.equal(made[1][0][0], module.tokens(known)[0]),
        "own": torch.equal(made[1][0][0], omni("face swap", **alone)[1][0][0]),
    }


with torch.inference_mode():
    finish({"rebuilt": rebuilt(), "automatic": automatic(), "heads": heads(), "choices": choices()})
