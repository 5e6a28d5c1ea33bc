"""Writes tests/schemas.json, the snapshot with which tests/nodes/test_schemas.py compares every node:

    COMFYUI_PATHS=~/comfy/ComfyUI python tools/make_schemas.py

Run it when a node or an input was appended, and check the difference before you commit it: a changed id, order or
default breaks people's saved graphs.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOT = ROOT / "tests" / "schemas.json"
FROZEN = ("default", "min", "max", "step", "round", "multiline", "control_after_generate", "prefix", "names")
# Inputs whose options are files on disk and not part of the pack.
FILES = {
    "FacePartDetect": {"grounding_dino", "sam"},
    "FuseAnyPartLoader": {"weights"},
    "FaceParse": {"model"},
    "ControllerLoad": {"controller_name"},
    "FaceSwapLoad": {"swapper", "fixer_net"},
    "IdentityEncode": {"saved"},
    "FPFFaceLoad": {"saved"},
    "FPFFaceRestore": {"restorer"},
    "HeadLayoutDiffusionLoader": {"weights"},
    "ReferenceFusion": {"weights"},
    "FPFUniFaceLoad": {"model", "image_tokenizer", "text_tokenizer"},
}


def main() -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from support.hosts import find_hosts, why_none
    from support.measured import measure

    if not find_hosts():
        raise SystemExit(why_none())
    with tempfile.TemporaryDirectory() as base:
        schemas = frozen(measure(find_hosts()[-1], "schemas.py", Path(base)))
    SNAPSHOT.write_text(json.dumps(schemas, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def frozen(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """What saved graphs rely on. `schemas`: object_info by node id."""
    return {node: _node(node, schemas[node]) for node in sorted(schemas)}


def _node(node: str, info: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "display_name": info["display_name"],
        "category": info["category"],
        "output_node": info["output_node"],
        "inputs": _inputs(info["input"], info["input_order"], FILES.get(node, set())),
        "outputs": [list(pair) for pair in zip(info["output"], info["output_name"], strict=True)],
    }


def _inputs(groups: Mapping[str, Any], order: Mapping[str, Any], files: set[str]) -> list[dict[str, Any]]:
    return [
        {"id": name, "group": group, **_input(groups[group][name], name, files)}
        for group in groups
        for name in order.get(group, groups[group])
    ]


def _input(spec: list[Any], name: str, files: set[str]) -> dict[str, Any]:
    kind, options = spec[0], spec[1] if len(spec) > 1 else {}
    template = options.get("template", {})
    # The default of a box is the host's, and older hosts have none.
    known = {} if kind == "BOUNDING_BOX" else {**template, **options}
    kept = {"type": kind, **{key: known[key] for key in FROZEN if key in known}}
    if template:
        kept["grows"] = _inputs(template["input"], {}, files)
    if options.get("options") and name not in files:
        kept["options"] = [_choice(choice, files) for choice in options["options"]]
    return kept


def _choice(choice: Any, files: set[str]) -> Any:
    if not isinstance(choice, Mapping):
        return choice
    return {"key": choice["key"], "inputs": _inputs(choice["inputs"], {}, files)}


if __name__ == "__main__":
    main()
