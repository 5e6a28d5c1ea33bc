"""Encoding faces for FaceX without a host: by networks that the caller brings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from face_part_fusion.detectors.motion import motion_of
from face_part_fusion.detectors.parts import FaceParts
from face_part_fusion.fusion.features.encoder import Encoder
from face_part_fusion.fusion.regions.assemble import assemble
from face_part_fusion.injection.faces.identity import RECOGNISER, Recogniser
from face_part_fusion.injection.facex.adapters import VISION, Source
from face_part_fusion.injection.facex.encode import encode_facex, encode_people
from face_part_fusion.injection.facex.file import new_controller
from face_part_fusion.injection.facex.model import FaceXConfig, default_config
from support.drawn_faces import drawn, person
from torch import Tensor, nn


class Map(nn.Module):
    """In the place of a recogniser: colours, on a grid of 7 x 7."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(1))

    def forward(self, pixels: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(pixels, 7).repeat(1, 171, 1, 1)[:, :512] * self.scale


def cells(pixels: Tensor) -> Tensor:
    """A class token, then the colours of 4 x 4 cells."""
    tokens = nn.functional.adaptive_avg_pool2d(pixels, 4).flatten(2).transpose(1, 2).repeat(1, 1, 8)
    return torch.cat([torch.zeros(len(tokens), 1, 24), tokens], 1)


ENCODER = Encoder(VISION, 32, (4, 4), 1, 24, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), cells)
NAME = f"{RECOGNISER} 0123abcd"


def config(identity: bool = True, recogniser: str = RECOGNISER, **sources: Source) -> FaceXConfig:
    made = default_config(channels={}, identity=identity, recogniser=recogniser).sources
    small = {"region": Source(VISION, 8, 16), "inpaint": Source(VISION, 16, 24)}
    return FaceXConfig("sd15", {}, {**made, **small, **sources})


def encode(config: FaceXConfig, parts: FaceParts, inpaint: Tensor | None = None, encoder: Encoder = ENCODER):
    def unasked() -> None:
        raise AssertionError("a network was asked for that the controller does not take")

    named = "identity" in config.sources
    return encode_facex(
        config, encoder, new_controller(config).regions, parts, inpaint,
        recogniser=(lambda: Recogniser(Map(), NAME, Path("backbone.pth"))) if named else unasked, deep3d=unasked,
    )  # fmt: skip


def test_a_controller_takes_what_was_encoded_for_it_and_a_region_sees_the_face():
    made = encode(config(), person())
    assert new_controller(config()).tokens(made)[0].shape == (1, 49 + 8 + 5 + 16, 768)
    assert made.providers == {"identity": NAME, "region": VISION, "motion": "landmarks", "inpaint": VISION}
    assert torch.equal(made.motion, motion_of(person())) and made.identity.shape == (1, 49, 512)
    assert made.notes() == ["no pixels, so the controller's empty token stands for: ears, hair, background"]
    assert made.notes({"ears": "anew", "hair": "source", "background": "target"})[0].endswith("hair, background")


def test_gradients_reach_the_region_tokens():
    module = new_controller(config(identity=False))
    made = encode_facex(
        module.config, ENCODER, module.regions, person(), recogniser=lambda: None, deep3d=lambda: None
    )  # fmt: skip
    made.regions.sum().backward()
    assert made.identity is None and module.regions.pyramid.lateral[0].weight.grad.abs().sum() > 0


def test_one_picture_serves_several_inpainting_references():
    references = torch.cat([torch.zeros_like(person().pictures), person().pictures])
    made, alone = encode(config(identity=False), person(), references), encode(config(identity=False), person())
    assert len(made) == 2 and torch.allclose(made.regions, alone.regions.expand(2, -1, -1), atol=1e-5)
    assert torch.equal(made.inpaint[1:], alone.inpaint) and not torch.equal(made.inpaint[:1], alone.inpaint)


def test_of_an_assembly_everybody_who_gives_something_is_encoded_and_the_base_with_its_picture():
    people = {name: person(0, drawn(roll=roll)) for name, roll in (("target", 0.0), ("source", 0.1), ("source 2", 0.2))}
    assembly = assemble("face swap", people["target"], people["source"], others=(people["source 2"],))
    asked = []

    def note(parts: FaceParts, inpaint: Tensor | None, progress: object) -> int:
        asked.append(inpaint is assembly.picture)
        return [name for name, one in people.items() if one is parts][0]

    assert encode_people(note, assembly, people, ("source", "target")) == {"target": "target", "source": "source"}
    assert asked == [True, False]
    assert set(encode_people(note, assembly, people, ("source 2", "target"))) == set(people)
    nobody = replace(people["source"], chosen=(None,))
    with pytest.raises(ValueError, match="the face of the source is needed, but parts: picture 1 of 1 has no chosen"):
        encode_people(note, assembly, {**people, "source": nobody}, ("source",))


def test_other_networks_than_the_controllers_are_refused():
    with pytest.raises(ValueError, match=f"clip_vision is another; the controller was trained with {VISION}"):
        encode(config(), person(), encoder=replace(ENCODER, name="another"))
    with pytest.raises(ValueError, match="recogniser ArcFace iresnet ffff0000, and backbone.pth is .* 0123abcd"):
        encode(config(recogniser=f"{RECOGNISER} ffff0000"), person())
    with pytest.raises(ValueError, match="'pose' from EMOCA, which this pack makes with .* all groups of motion"):
        encode(config(pose=Source("EMOCA", 1, 4)), person())
    with pytest.raises(ValueError, match=r"inpainting reference has shape \(1, 8, 8, 3\)"):
        encode(config(), person(), torch.zeros(1, 8, 8, 3))
