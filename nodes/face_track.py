"""The frames of a film -> FACE_PARTS with one face, followed from frame to frame."""

from __future__ import annotations

import torch
from comfy_api.latest import io
from torch import Tensor

from ..detectors.builtin import DEFAULT_THRESHOLD
from ..detectors.film import FULL_SEARCH, PATIENCE, FaceFollower, Recognise, film_report, follow_film
from ..detectors.parts import FACE_ORDERS, Face
from ..detectors.picture import as_pictures, stacked
from ..detectors.preview import draw_preview
from ..detectors.progress import counted, stages
from ..fusion.captions import shown
from ..fusion.face_swap import aligned_crop
from ..injection.reliable_swap.identity import Identity, check_provider
from ..injection.reliable_swap.swapper import ARCFACE, Swapper
from .host.face_swap import FaceSwapper
from .host.networks import builtin_detector
from .host.previews import in_node
from .host.progress import host_progress
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FaceIdentityWire, FacePartsWire, FaceSwapperWire


class FaceTrack(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFFaceTrack",
            display_name="Face Track (Video)",
            category="face parts/detect",
            description="Follows one face through the frames of a video: chosen once, kept when people cross or the "
            "face is hidden for a moment, its landmarks steadied. Needs no model.",
            search_aliases=["video", "face tracking", "track face", "video face swap", "follow face", "stabilize"],
            inputs=[
                io.Image.Input(
                    "image", tooltip="The frames of a video in their order, from Get Video Components or any other "
                    "video loader.",
                ),
                field(
                    io.Combo, "order", options=list(FACE_ORDERS), default="large-small",
                    tooltip="The order in which the faces of the first frame are numbered: by position, by size, or by "
                    "how sure the detector is.",
                ),
                field(
                    io.Int, "index", default=0, min=0, max=999,
                    tooltip="Number of the face that is followed, from 0, in the order above. It is chosen once, in "
                    "the first frame that has so many faces.",
                ),
                field(
                    io.Float, "smooth", default=0.5, min=0.0, max=1.0, step=0.05,
                    tooltip="How strongly the landmarks are steadied from frame to frame. Raise it when a part "
                    "trembles on a face that rests; lower it when it lags behind quick movements. 0 is off.",
                ),
                field(
                    io.Float, "threshold", default=DEFAULT_THRESHOLD, min=0.05, max=1.0, step=0.01, advanced=True,
                    tooltip="How sure the detector must be that something is a face, where a whole frame is searched.",
                ),
                field(
                    io.Int, "smallest", default=32, min=8, max=4096, advanced=True,
                    tooltip="Size of the smallest face that is searched for, in pixels.",
                ),
                field(
                    io.Int, "full_search", default=FULL_SEARCH, min=1, max=1000, advanced=True,
                    tooltip="The whole frame is searched each so many frames, and whenever the face is lost; between, "
                    "only around where the face was. Lower it where people move fast; 1 searches every frame.",
                ),
                field(
                    io.Int, "patience", default=PATIENCE, min=0, max=1000, advanced=True,
                    tooltip="For how many frames a lost face is expected near where it was. Afterwards it must look "
                    "very much like before, or be recognised by the swapper, to be taken for the same person.",
                ),
                FaceSwapperWire.Input(
                    "swapper", optional=True,
                    tooltip="From Face Swap Load: its recogniser tells people apart after a face was lost. Without it "
                    "the look of the face decides.",
                ),
                FaceIdentityWire.Input(
                    "person", optional=True,
                    tooltip="Who is followed, from Identity Encode with the same swapper, instead of order and index.",
                ),
            ],
            outputs=[
                FacePartsWire.Output("parts", tooltip="The frames with the followed face chosen; a frame in which it "
                "is hidden has no chosen face and stays as it is."),
                io.Image.Output("preview", tooltip="At most 64 of the frames, evenly spread, with their faces; the "
                "followed one is framed in amber."),
                io.String.Output("report", tooltip="In which frames the face was seen, and in which it was lost."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, image: Tensor, order: str, index: int, smooth: float, threshold: float, smallest: int, full_search: int,
        patience: int, swapper: FaceSwapper | None = None, person: Identity | None = None,
    ) -> io.NodeOutput:  # fmt: skip
        frames = as_pictures(image)
        ready = _ready(swapper, person)
        follower = FaceFollower(
            builtin_detector(), order=order, index=index, smooth=smooth, threshold=threshold, smallest=smallest,
            every=full_search, patience=patience, recognise=_recogniser(ready) if ready else None,
            person=None if person is None else person.vector[:ARCFACE],
        )  # fmt: skip
        searching, drawing = stages(host_progress(), 2)
        parts = follow_film(frames, follower, searching)
        numbers = shown(len(parts))
        drawn = (draw_preview(parts.single(i))[0] for i in counted(numbers, drawing))
        preview = stacked(drawn, len(numbers))
        return io.NodeOutput(parts, preview, film_report(parts.chosen), ui=in_node(preview))


def _ready(swapper: FaceSwapper | None, person: Identity | None) -> Swapper | None:
    """Raises ValueError for a person without a swapper, or whom another swapper's networks encoded."""
    if swapper is None:
        if person is not None:
            raise ValueError(
                "person is wired in, and there is no swapper whose recogniser could look for them; wire the Face Swap "
                "Load of their Identity Encode into swapper, or unplug person"
            )
        return None
    ready = swapper.ready()
    if person is not None:
        check_provider(person, ready, "person")
    return ready


def _recogniser(swapper: Swapper) -> Recognise:
    frame = swapper.source
    points = torch.tensor(frame.points)

    def recognise(picture: Tensor, face: Face) -> Tensor:
        return swapper.identify(aligned_crop(picture, face, points, frame.size)[None])[0][:ARCFACE]

    return recognise
