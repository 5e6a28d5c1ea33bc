"""Which edits the pack's nodes upstream of a node made to the picture, read from the graph that is running."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Node id -> the sentence about its edit. {parts}: the node's part inputs that are wired, or above 0 in its references.
EDITS: Mapping[str, str] = {
    "PartComposite": "Parts of several photographs composited: {parts}",
    "FPFSwapFaceParts": "Parts of several photographs composited: {parts}",
    "MaskFuse": "Parts fused in feature space (FuseAnyPart): {parts}",
    "AdditionInject": "Face made anew by a diffusion model from the fused parts",
    "RegionAssemble": "Face regions assembled: {task}",
    "OmniRepresentationCondition": "Face edited by a diffusion model: {task}",
    "ControllerApply": "Diffusion model steered by reference faces",
    "ReferenceFusion": "Picture made by a diffusion model that looked at photographs of people",
    "MaskedFusion": "Region made anew by a diffusion model",
}
GIVES_PARTS = ("PartReference", "PartEncode")
PART_INPUTS = ("eyes", "left_eye", "right_eye", "brows", "left_brow", "right_brow", "nose", "mouth", "skin")


def edits_before(graph: Mapping[str, Any], node: str) -> list[str]:
    """One sentence for each of the pack's editing nodes upstream of `node`, nearest the source first.

    `graph`: the API-format prompt: node id -> {"class_type", "inputs"}.
    """
    sentences = []
    for name in _upstream(graph, node):
        kind, inputs = _kind(graph, name), _inputs(graph, name)
        if kind in EDITS:
            parts = ", ".join(_parts(graph, inputs)) or "none"
            sentences.append(EDITS[kind].format(parts=parts, task=inputs.get("task", "")))
    return list(dict.fromkeys(sentences))


def _parts(graph: Mapping[str, Any], inputs: Mapping[str, Any]) -> list[str]:
    """The parts that are wired into the node itself, and those that its references give."""
    parts = {part for part in PART_INPUTS if _is_link(inputs.get(part))}
    for value in inputs.values():
        if _is_link(value) and _kind(graph, str(value[0])) in GIVES_PARTS:
            own = _inputs(graph, str(value[0]))
            parts |= {part for part in PART_INPUTS if isinstance(own.get(part), (int, float)) and own[part] > 0}
    return [part.replace("_", " ") for part in PART_INPUTS if part in parts]


def _upstream(graph: Mapping[str, Any], node: str) -> Iterator[str]:
    """Ids upstream of `node`, each once, sources first."""
    done: set[str] = set()
    stack: list[tuple[str, bool]] = [(source, False) for source in _sources(graph, node)]
    while stack:
        name, finished = stack.pop()
        if finished:
            yield name
        elif name not in done:
            done.add(name)
            stack.append((name, True))
            stack.extend((source, False) for source in _sources(graph, name))


def _sources(graph: Mapping[str, Any], node: str) -> list[str]:
    return [str(value[0]) for value in _inputs(graph, node).values() if _is_link(value) and str(value[0]) in graph]


def _kind(graph: Mapping[str, Any], node: str) -> str:
    own = graph.get(node)
    return str(own.get("class_type")) if isinstance(own, Mapping) else ""


def _inputs(graph: Mapping[str, Any], node: str) -> Mapping[str, Any]:
    """Empty for a node without a table of inputs, as graphs sent by programs may have."""
    own = graph.get(node)
    inputs = own.get("inputs") if isinstance(own, Mapping) else None
    return inputs if isinstance(inputs, Mapping) else {}


def _is_link(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[1], int)
