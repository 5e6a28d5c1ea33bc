"""The pack in English, Chinese and Japanese: the keys of the schemas, no empty text, served by the host."""

from __future__ import annotations

import importlib.util
import json
import re
from types import ModuleType
from typing import Any

import pytest
from support.hosts import Server
from support.measured import measure, usable_hosts
from support.paths import ROOT

LANGUAGES = ("en", "zh", "ja")
RENEW = "Run tools/make_locales.py, then correct locales/zh and locales/ja where it says so."


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_locales", ROOT / "tools" / "make_locales.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = _tool()


def _texts(language: str, name: str) -> dict[str, Any]:
    return json.loads((ROOT / "locales" / language / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=usable_hosts())
def schemas(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(request.param, "schemas.py", tmp_path_factory.mktemp("schemas"))


def test_english_is_what_the_schemas_say(schemas):
    assert _texts("en", "nodeDefs.json") == TOOL.node_texts(schemas), RENEW
    assert _texts("en", "main.json") == TOOL.categories(schemas) | TOOL.own_words("en"), RENEW


def test_words_beside_choices_and_sockets_are_of_choices_and_sockets_that_are_there():
    schemas = json.loads((ROOT / "tests" / "schemas.json").read_text(encoding="utf-8"))
    words = TOOL.own_words("en")[TOOL.OWN]
    assert set(words) == {"faces", "options", "sockets"}
    for node, of_input in words["options"].items():
        inputs = {one["id"]: one for one in schemas[node]["inputs"]}
        assert {name: set(named) for name, named in of_input.items()} == {
            name: set(inputs[name]["options"]) for name in of_input
        }
    growing = {
        node: {one["id"].removesuffix("s") for one in info["inputs"] if one["type"] == "COMFY_AUTOGROW_V3"}
        for node, info in schemas.items()
    }
    assert {node: set(of_socket) for node, of_socket in words["sockets"].items()} == {
        n: g for n, g in growing.items() if g
    }


@pytest.mark.parametrize("name", TOOL.FILES)
@pytest.mark.parametrize("language", TOOL.OTHERS)
def test_a_translation_has_exactly_the_keys_of_english(language, name):
    english, other = TOOL.flat(_texts("en", name)), TOOL.flat(_texts(language, name))
    assert sorted(english.keys() - other.keys()) == [], f"missing. {RENEW}"
    assert sorted(other.keys() - english.keys()) == [], f"left over. {RENEW}"


def test_only_these_languages_and_files_are_there():
    files = {f.relative_to(ROOT / "locales").as_posix() for f in (ROOT / "locales").rglob("*") if f.is_file()}
    assert files == {f"{language}/{name}" for language in LANGUAGES for name in TOOL.FILES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_one_that_the_front_end_can_show(language):
    for name in TOOL.FILES:
        for key, text in TOOL.flat(_texts(language, name)).items():
            assert isinstance(text, str) and text.strip() == text != "", key
            # vue-i18n takes these for placeholders, links and plurals.
            assert not set(text) & set("{}@|"), key


@pytest.mark.parametrize("language, letters", [("zh", "\u4e00-\u9fff"), ("ja", "\u3040-\u30ff\u4e00-\u9fff")])
def test_sentences_are_translated_and_quote_the_same_choices(language, letters):
    english = TOOL.flat(_texts("en", "nodeDefs.json"))
    choices = _choices(json.loads((ROOT / "tests" / "schemas.json").read_text(encoding="utf-8")))
    for key, text in TOOL.flat(_texts(language, "nodeDefs.json")).items():
        if key[-1] in ("tooltip", "description"):
            assert re.search(f"[{letters}]", text) and text.endswith("。"), f"{key} is not translated: {text}"
            missing = [c for c in choices if f"'{c}'" in english[key] and f"'{c}'" not in text]
            assert not missing, f"{key} does not name {missing}: {text}"


@pytest.mark.parametrize("language", TOOL.OTHERS)
def test_a_translated_input_also_says_the_id_that_errors_quote(language):
    english, translated = _texts("en", "nodeDefs.json"), _texts(language, "nodeDefs.json")
    for node, texts in translated.items():
        for key, text in texts["inputs"].items():
            # A socket of a growing input has no name and is shown by its id.
            name = TOOL.id_of(english[node]["inputs"][key])
            assert name is None or TOOL.has_id(text, name), f"{node}, {key}. {RENEW}"


def _choices(schemas: dict[str, Any]) -> set[str]:
    options = [c for node in schemas.values() for i in node["inputs"] for c in i.get("options", [])]
    return {c["key"] if isinstance(c, dict) else c for c in options}


def test_the_host_serves_all_languages(tmp_path_factory):
    host = usable_hosts()[-1].values[0]
    if host is None:
        pytest.skip("no ComfyUI 0.8.0 or newer was found")
    server = Server(host, tmp_path_factory.mktemp("locales"))
    server.start()
    try:
        served = server.get_json("/i18n")
    finally:
        server.stop()
    for language in LANGUAGES:
        assert served[language]["nodeDefs"] == _texts(language, "nodeDefs.json")
        main = _texts(language, "main.json")
        assert served[language]["nodeCategories"] == main["nodeCategories"]
        # What web/words.js reads.
        assert served[language][TOOL.OWN] == main[TOOL.OWN]
