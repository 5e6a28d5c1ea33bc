"""IMAGE -> files whose metadata says that they were edited, and how."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import folder_paths
from comfy.cli_args import args
from comfy_api.latest import io, ui
from PIL import Image
from torch import Tensor

from ..detectors.picture import as_pictures
from ..detectors.progress import counted
from ..fusion.provenance import FORMATS, save_picture
from .host.graph_edits import edits_before
from .host.progress import host_progress
from .inputs.schema import FaceNode, field, schema


class MarkEdited(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MarkEdited",
            display_name="Save Image (Marked as Edited)",
            category="face parts/save",
            description="Saves pictures with the IPTC mark 'composite with trained algorithmic media' and a list of "
            "what was swapped in the file's metadata. A label for honest readers, not a guarantee: it can be removed.",
            search_aliases=["save image", "IPTC", "XMP", "metadata", "AI label", "provenance"],
            is_output_node=True,
            inputs=[
                io.Image.Input("images", tooltip="The finished pictures."),
                field(
                    io.String, "filename_prefix", default="face_parts",
                    tooltip="Beginning of the file name in the output folder; a counter follows. ComfyUI's "
                    "placeholders, such as %date:yyyy-MM-dd%, work here too.",
                ),
                field(
                    io.Combo, "format", options=list(FORMATS), default="png",
                    tooltip="'png' keeps every pixel, 'webp' and 'jpeg' are smaller. Drop a PNG or WebP into ComfyUI "
                    "and its workflow opens; from a JPEG ComfyUI reads none, so none is written.",
                ),
                field(
                    io.Int, "quality", default=95, min=1, max=100, advanced=True,
                    tooltip="Quality of JPEG and WebP: higher looks better and makes larger files. PNG ignores it.",
                ),
                field(
                    io.Boolean, "mark", default=True,
                    tooltip="Writes the mark and the list of edits into the file. Off, the file has neither.",
                ),
                field(
                    io.String, "note", default="", multiline=True, advanced=True,
                    tooltip="A sentence of your own for the list of edits, for example whose consent you have.",
                ),
            ],
            outputs=[],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.unique_id],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, images: Tensor, filename_prefix: str, format: str, quality: int, mark: bool, note: str
    ) -> io.NodeOutput:
        pictures = as_pictures(images, "images")
        edits = _edits(cls.hidden.prompt or {}, str(cls.hidden.unique_id), note) if mark else []
        texts = {} if args.disable_metadata else _workflow(cls.hidden.prompt, cls.hidden.extra_pnginfo)
        height, width = pictures.shape[1:3]
        folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_output_directory(), width, height
        )
        saved = []
        for number in counted(range(len(pictures)), host_progress()):
            ending = "jpg" if format == "jpeg" else format
            file = f"{name.replace('%batch_num%', str(number))}_{counter + number:05}_.{ending}"
            # Truncated, not rounded, as the host's own Save Image does it.
            image = Image.fromarray((pictures[number].clamp(0, 1) * 255).byte().numpy())
            save_picture(image, Path(folder, file), format, edits=edits, quality=quality, texts=texts)
            saved.append(ui.SavedResult(file, subfolder, io.FolderType.output))
        return io.NodeOutput(ui={"images": saved})


def _edits(graph: dict[str, Any], node: str, note: str) -> list[str]:
    edits = edits_before(graph, node) or ["Made with Face Part Fusion"]
    return [*edits, note.strip()] if note.strip() else edits


def _workflow(prompt: Any, extra: Any) -> dict[str, str]:
    """What the host's own Save Image writes, so that the file opens as a workflow."""
    return {key: json.dumps(value) for key, value in {"prompt": prompt, **(extra or {})}.items() if value is not None}
