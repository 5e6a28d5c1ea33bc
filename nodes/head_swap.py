"""One person's head on another's body: in pixels at once, and with a model what lies between made anew."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..detectors.parts import FaceParts
from ..detectors.progress import counted, stages
from ..fusion.crop import crop_faces, paste_back
from ..fusion.regions.head_swap import TONES, swap_head
from ..fusion.regions.layout import PALETTE
from ..fusion.regions.pair import complete_layout, make_layout
from .host.head_swap import not_wired, sampling_outputs
from .host.progress import host_progress
from .inputs.heads import BACKGROUNDS, by_hand, parsed, people_inputs, placing_inputs
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FaceCropWire, HeadLayoutWire

# Margin around the face in the crop, in face sizes: hair above it and shoulders below.
_PADDING = 1.1


class HeadSwap(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="HeadSwap",
            display_name="Head Swap",
            category="face parts/fuse",
            description="Puts one person's head, with its hair, on another's body: neck joined, skin tones matched, "
            "the old hair removed. The picture needs no model; with one, the neck and all that was hidden are made "
            "anew while both photographs stay as they are.",
            search_aliases=["head swap", "headswap", "HS-Diffusion", "hair swap", "body swap", "face swap", "faceswap"],
            inputs=[
                *people_inputs(),
                field(
                    io.Combo, "tone", options=list(TONES), default=TONES[0],
                    tooltip="Whose skin tone the new person has: 'neck follows face' colours neck and chest like the "
                    "face, 'face follows neck' the face like the body's, 'half way' meets between them.",
                ),
                *placing_inputs(),
                field(
                    io.Int, "crop_size", default=0, min=0, max=4096, step=8,
                    tooltip="0 works on the whole picture. Otherwise head and shoulders are cut out as a square of so "
                    "many pixels for the model (512 for SD1.5, 1024 for SDXL); Face Paste Back puts the sampled square "
                    "back.",
                ),
                # In the outputs' order: a bypassed node hands on what lies at the same place.
                io.Model.Input("model", optional=True, tooltip="Any model, inpainting models included. Only with vae."),
                io.Conditioning.Input(
                    "positive", optional=True,
                    tooltip="The prompt for what lies between head and body, such as 'portrait photograph, neck'.",
                ),
                io.Conditioning.Input("negative", optional=True, tooltip="The negative prompt."),
                io.Vae.Input("vae", optional=True, tooltip="The model's own VAE."),
            ],
            outputs=[
                io.Image.Output(
                    "image", tooltip="The head swap in pixels, at the size of the body's picture; it needs no model."
                ),
                io.Mask.Output("mask", tooltip="White in that picture where it is no longer the body's photograph."),
                io.Model.Output("model", tooltip="Keeps head and body while the sampler makes what lies between."),
                io.Conditioning.Output("positive", tooltip="For the sampler; inpainting models get their mask here."),
                io.Conditioning.Output("negative", tooltip="For the sampler's negative."),
                io.Latent.Output(
                    "latent", tooltip="The head swap in pixels, encoded. A denoise of 0.5 to 0.7 mends neck and holes; "
                    "1 makes them anew."
                ),
                io.Image.Output("layout_picture", tooltip="The completed layout; its classes as in Head Layout."),
                HeadLayoutWire.Output("layout", tooltip="The completed layout, in the crop where there is one."),
                FaceCropWire.Output("face_crop", tooltip="For Face Paste Back, where crop_size is above 0."),
                io.String.Output("report", tooltip="What does not suit in the two photographs."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, head: FaceParts, body: FaceParts, tone: str, fit: str, hair: str, hat: str, background: str,
        offset_x: float, offset_y: float, scale: float, angle: float, crop_size: int, model: Any = None,
        vae: Any = None, positive: Any = None, negative: Any = None,
    ) -> io.NodeOutput:  # fmt: skip
        wired = {"model": model, "vae": vae, "positive": positive, "negative": negative}
        missing = [name for name, value in wired.items() if value is None]
        if model is not None and missing:
            raise ValueError(f"model is wired in and {' and '.join(missing)} not; wire them in, or unplug the model")
        first, second, third, fourth = stages(host_progress(), 4)
        head, body = parsed(head, first), parsed(body, second)
        crop = None
        whole = body.pictures
        if crop_size:
            _, body, crop = crop_faces(body, crop_size, "unrotated", _PADDING)
        layout = complete_layout(
            make_layout(
                head, body, fit=fit, by_hand=by_hand(offset_x, offset_y, scale, angle), hair=hair, hat=hat,
                keep_background=background == BACKGROUNDS[0], progress=third,
            )
        )  # fmt: skip
        swaps = [swap_head(pair, tone) for pair in counted(layout.pairs, fourth)]
        start, changed = (torch.stack(parts) for parts in zip(*swaps, strict=True))
        image, mask = start, changed
        if crop is not None and len(crop.pictures) == len(start):
            image, mask = paste_back(start, crop, feather=0)
        elif crop is not None:
            raise ValueError(
                f"crop_size works with one head for each body; came {len(start)} heads and {len(whole)} body; repeat "
                "the body's picture, or set crop_size to 0"
            )
        sampling = not_wired() if missing else sampling_outputs(model, vae, positive, negative, layout, start)
        return io.NodeOutput(image, mask, *sampling, layout.drawn(PALETTE), layout, crop, layout.report())
