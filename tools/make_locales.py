"""Writes locales/en from the schemas of the nodes, and lists what the other languages lack:

    COMFYUI_PATHS=~/comfy/ComfyUI python tools/make_locales.py

Run it after a change of a schema, then correct locales/zh and locales/ja by hand. Where a translated input lacks the
English id that error messages quote, this adds it in front of the tooltip. The keys are those that ComfyUI's front end
looks up: `nodeDefs.<node>.inputs.<input>.{name,tooltip}`, outputs by number, and each word of a category. An input
inside a dynamic one is `<outer>_<inner>`. Every socket of a growing input has a key, without a name, because the front
end shows the socket's id. Options of a combo have no keys: web/labels.js puts words of `facePartFusion` beside them.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCALES = ROOT / "locales"
FILES = ("nodeDefs.json", "main.json")
OTHERS = ("zh", "ja")
# What web/*.js say, by the key that web/words.js looks up; its English is written by hand in locales/en/main.json.
OWN = "facePartFusion"


def main() -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from support.hosts import find_hosts, why_none
    from support.measured import measure

    if not find_hosts():
        raise SystemExit(why_none())
    with tempfile.TemporaryDirectory() as base:
        schemas = measure(find_hosts()[-1], "schemas.py", Path(base))
    english = {"nodeDefs.json": node_texts(schemas), "main.json": categories(schemas) | own_words("en")}
    for name, texts in english.items():
        file = LOCALES / "en" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(texts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        for language in OTHERS:
            other = LOCALES / language / name
            translated = with_ids(texts, json.loads(other.read_text(encoding="utf-8")))
            other.write_text(json.dumps(translated, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            there = flat(translated)
            for key in sorted(flat(texts).keys() ^ there.keys()):
                sys.stdout.write(f"{language}/{name} {'does not need' if key in there else 'lacks'} {key}\n")


def node_texts(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """nodeDefs.json of object_info by node id."""
    return {node: _texts(schemas[node]) for node in sorted(schemas)}


def categories(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """main.json: every word of the categories, translated one by one."""
    words = {word for info in schemas.values() for word in info["category"].split("/")}
    return {"nodeCategories": {word: word for word in sorted(words)}}


def own_words(language: str) -> dict[str, Any]:
    """The rest of main.json: the words of web/*.js, which have no other place."""
    return {OWN: json.loads((LOCALES / language / "main.json").read_text(encoding="utf-8"))[OWN]}


def with_ids(english: Mapping[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """`other`, where the name or the tooltip of each translated input also has the id that errors quote."""
    for node, texts in other.items():
        for key, text in texts.get("inputs", {}).items():
            name = id_of(english.get(node, {}).get("inputs", {}).get(key, {}))
            if name is not None and not has_id(text, name):
                text["tooltip"] = f"（{name}）{text['tooltip']}"
    return other


def id_of(text: Mapping[str, str]) -> str | None:
    """The id of an input from its English texts: its name or, where it has a label, the first word of its tooltip."""
    labelled = re.match(r"\((\w+)\) ", text.get("tooltip", ""))
    return labelled[1] if labelled else text.get("name")


def has_id(text: Mapping[str, str], name: str) -> bool:
    """Whether name or tooltip of a translated input have its English name, or the two names are the same."""
    shown = text["name"]
    return shown.lower() == name.lower() or shown.endswith(f"({name})") or text["tooltip"].startswith(f"（{name}）")


def flat(texts: Mapping[str, Any], above: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Texts by the path of their keys."""
    text_by_path: dict[tuple[str, ...], Any] = {}
    for key, value in texts.items():
        text_by_path |= flat(value, (*above, key)) if isinstance(value, Mapping) else {(*above, key): value}
    return text_by_path


def _texts(info: Mapping[str, Any]) -> dict[str, Any]:
    outputs = {}
    for number, (kind, name, tooltip) in enumerate(
        zip(info["output"], info["output_name"], info["output_tooltips"], strict=True)
    ):
        # An output named after its type is shown with the host's own word for the type.
        outputs[str(number)] = ({"name": name} if name != kind else {}) | {"tooltip": tooltip}
    texts = {"display_name": info["display_name"], "description": info["description"]}
    return texts | {"inputs": dict(_inputs(info["input"]))} | ({"outputs": outputs} if outputs else {})


def _inputs(groups: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    for name, spec in [item for kind in ("required", "optional") for item in groups.get(kind, {}).items()]:
        options = spec[1] if len(spec) > 1 else {}
        yield above + name, {"name": options.get("display_name", name), "tooltip": options["tooltip"]}
        for choice in options.get("options", []):
            if isinstance(choice, Mapping):
                yield from _inputs(choice["inputs"], f"{above}{name}_")
        if "template" in options:
            yield from _sockets(options["template"], f"{above}{name}_")


def _sockets(template: Mapping[str, Any], above: str) -> Iterator[tuple[str, dict[str, str]]]:
    ((_, grown),) = _inputs(template["input"])
    for number in range(template["max"]):
        yield f"{above}{template['prefix']}{number}", {"tooltip": grown["tooltip"]}


if __name__ == "__main__":
    main()
