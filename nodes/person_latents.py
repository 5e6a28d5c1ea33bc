"""People -> a prompt with a reference latent for each photograph, for models that take those themselves."""

from __future__ import annotations

from typing import Any

import node_helpers
import torch
from comfy_api.latest import io

from ..injection.face_fusion.people import FacePerson, sentence_of
from .host.face_fusion import encode_people
from .host.progress import host_progress
from .inputs.growing import growing_input, named_references
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FacePersonWire


class PersonLatents(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="PersonLatents",
            display_name="Person Latents",
            category="face parts/control",
            description="The same people for models with reference pictures of their own (Flux Kontext, Flux.2, "
            "Qwen-Image-Edit): encodes the prompt, says in it which picture shows whom, and adds their latents.",
            search_aliases=["ReferenceLatent", "reference latents", "Flux Kontext", "Qwen Image Edit", "Flux.2"],
            inputs=[
                io.Clip.Input("clip", tooltip="The model's text encoder."),
                io.Vae.Input("vae", tooltip="The model's VAE, which encodes the photographs."),
                growing_input(
                    FacePersonWire, "persons",
                    "The people, from Face Person, in the order in which the prompt numbers them. Strength, region and "
                    "what may be looked at do not count here: these models look at whole pictures.",
                    socket="One person, from Face Person.", least=1,
                ),
                field(
                    io.String, "prompt", default="", multiline=True,
                    tooltip="What the new picture shows, such as 'the first person and the second person at a café'. "
                    "A sentence that says which picture shows whom comes before it.",
                ),
            ],
            outputs=[
                io.Conditioning.Output("positive", tooltip="The prompt with one reference latent for each photograph."),
                io.String.Output("text", tooltip="The whole prompt, for a text encoder that takes pictures too."),
                io.Image.Output(
                    "pictures", tooltip="The photographs in this order, in the size of the first, for such an encoder."
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, clip: Any, vae: Any, prompt: str, persons: dict[str, FacePerson] | None = None) -> io.NodeOutput:
        named = named_references(persons)
        if not named:
            raise ValueError("persons is empty; wire in at least one Face Person")
        text = f"{sentence_of([len(person.pictures) for person in named])} {prompt}".strip()
        latents = [latent for own in encode_people(vae, named, host_progress()) for latent in own]
        conditioning = clip.encode_from_tokens_scheduled(clip.tokenize(text))
        conditioning = node_helpers.conditioning_set_values(conditioning, {"reference_latents": latents}, append=True)
        return io.NodeOutput(conditioning, text, _batch([p for person in named for p in person.pictures]))


def _batch(pictures: list[torch.Tensor]) -> torch.Tensor:
    height, width = pictures[0].shape[1:3]
    fitted = [
        torch.nn.functional.interpolate(p.movedim(-1, 1), (height, width), mode="bilinear", antialias=True)
        for p in pictures
    ]
    return torch.cat(fitted).movedim(1, -1)
