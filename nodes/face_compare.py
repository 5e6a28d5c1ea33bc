"""Two FACE_PARTS -> which attributes changed, and which were meant to."""

from __future__ import annotations

import json

from comfy_api.latest import io

from ..detectors.parser_regions import PARSED_PARTS, parsed_where_missing
from ..detectors.parts import FaceParts, of_input
from ..detectors.progress import counted, stages
from ..metrics.describe.compare import check_parts, compare, report
from ..metrics.describe.describe import describe
from .host.networks import builtin_parser
from .host.progress import host_progress
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FacePartsWire


class FaceCompare(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFFaceCompare",
            display_name="Face Compare",
            category="face parts/describe",
            description="Says what an edit changed: which measured attributes differ between two pictures, by how "
            "much, and which of them were meant to, because their part was exchanged.",
            search_aliases=["difference", "before after", "what changed", "face attributes", "quality"],
            inputs=[
                FacePartsWire.Input("before", tooltip="The face before the edit, or the reference, from Face Part "
                "Detect."),
                FacePartsWire.Input(
                    "after", tooltip="The face after the edit, from Face Part Detect on the result; as many pictures "
                    "as before, or before has one.",
                ),
                field(
                    io.String, "exchanged", default="",
                    tooltip="The parts that were to change, with commas between, such as eyes, mouth. Their changes "
                    "count as meant; all others do not. Empty: no change was meant.",
                ),
            ],
            outputs=[
                io.String.Output("report", tooltip="A line for each change, those that were not meant first, then "
                "what is unchanged."),
                io.String.Output("json", tooltip="For each picture the changes with words, numbers and whether they "
                "were meant."),
                io.Int.Output("not_meant", tooltip="How many changes in all pictures were not meant."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, before: FaceParts, after: FaceParts, exchanged: str) -> io.NodeOutput:
        names = tuple(name.strip() for name in exchanged.split(",") if name.strip())
        check_parts(names)
        if len(before) not in (1, len(after)):
            raise ValueError(
                f"before has {len(before)} pictures and after has {len(after)}; give as many of both, or one before"
            )
        first, second, comparing = stages(host_progress(), 3)
        before = parsed_where_missing(before, PARSED_PARTS, builtin_parser, progress=first)
        after = parsed_where_missing(after, PARSED_PARTS, builtin_parser, progress=second)
        texts, records, not_meant = [], [], 0
        for i in counted(range(len(after)), comparing):
            j = i if len(before) > 1 else 0
            old, new = before.face(j), after.face(i)
            prefix = f"picture {i + 1}\n" if len(after) > 1 else ""
            if old is None or new is None:
                texts.append(f"{prefix}there is no face {'before' if old is None else 'afterwards'}")
                records.append(None)
                continue
            with of_input("before", j, len(before)):
                was = describe(before.pictures[j], old)
            with of_input("after", i, len(after)):
                now = describe(after.pictures[i], new)
            changes = compare(was, now, names)
            not_meant += sum(not change.meant for change in changes)
            texts.append(prefix + report(changes, was, now))
            records.append([
                {"attribute": change.name, "before": change.before.as_json(), "after": change.after.as_json(),
                 "meant": change.meant}
                for change in changes
            ])  # fmt: skip
        return io.NodeOutput("\n\n".join(texts), json.dumps(records, indent=1, ensure_ascii=False), not_meant)
