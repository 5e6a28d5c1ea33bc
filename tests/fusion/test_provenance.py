"""The mark in saved files, read back by an XML parser and by Pillow."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from xml.etree import ElementTree

import pytest
from face_part_fusion.fusion.provenance import FORMATS, SOURCE_TYPE, save_picture, xmp_packet
from PIL import Image
from support.paths import ROOT

IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
EVENT = "{http://ns.adobe.com/xap/1.0/sType/ResourceEvent#}parameters"
EDITS = ["eyes & nose replaced", "<mouth> from a second person"]


def edits_before(*words):
    # The module knows nothing of the host, but its folder's __init__ does.
    file = ROOT / "nodes" / "host" / "graph_edits.py"
    spec = importlib.util.spec_from_file_location("graph_edits", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.edits_before(*words)


def read(packet: str) -> tuple[str, list[str]]:
    root = ElementTree.fromstring(packet)
    return root.findtext(f".//{IPTC}"), [e.text for e in root.iter(EVENT)]


def packet_of(file: Path) -> str:
    with Image.open(file) as image:
        packet = image.info.get("XML:com.adobe.xmp") or image.info.get("xmp")
    return packet.decode() if isinstance(packet, bytes) else packet


@pytest.fixture
def picture() -> Image.Image:
    return Image.effect_noise((40, 30), 60).convert("RGB")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_saved_file_carries_the_source_type_and_the_edits(picture, kind, tmp_path):
    save_picture(picture, tmp_path / "p", kind, edits=EDITS)
    assert read(packet_of(tmp_path / "p")) == (SOURCE_TYPE, EDITS)


def test_a_png_keeps_every_pixel_and_its_texts(picture, tmp_path):
    save_picture(picture, tmp_path / "p.png", "png", edits=EDITS, texts={"prompt": "{}"})
    with Image.open(tmp_path / "p.png") as saved:
        assert saved.tobytes() == picture.tobytes()
        assert saved.text["prompt"] == "{}"


def test_a_webp_carries_the_workflow_where_comfyui_looks_for_it(picture, tmp_path):
    texts = {"prompt": '{"1": "\\u76ee"}', "workflow": '{"nodes": []}', "more": "1"}
    save_picture(picture, tmp_path / "p.webp", "webp", edits=EDITS, texts=texts)
    with Image.open(tmp_path / "p.webp") as saved:
        values = [saved.getexif()[tag] for tag in (0x0110, 0x010F, 0x010E)]
    assert values == [f"{key}:{text}" for key, text in texts.items()]
    assert read(packet_of(tmp_path / "p.webp")) == (SOURCE_TYPE, EDITS)


@pytest.mark.parametrize("kind", FORMATS)
def test_without_edits_nothing_is_written(picture, kind, tmp_path):
    save_picture(picture, tmp_path / "p", kind)
    assert packet_of(tmp_path / "p") is None
    assert b"digitalsourcetype" not in (tmp_path / "p").read_bytes()


def test_control_characters_do_not_break_the_packet():
    assert read(xmp_packet(["a\x00b\x1bc"]))[1] == ["abc"]


def test_a_list_too_long_for_jpeg_is_an_error_that_says_so(picture, tmp_path):
    with pytest.raises(ValueError, match="JPEG holds"):
        save_picture(picture, tmp_path / "p.jpg", "jpeg", edits=["x" * 70000])
    assert not (tmp_path / "p.jpg").exists()


def test_an_unknown_format_is_named(picture, tmp_path):
    with pytest.raises(ValueError, match="'gif'"):
        save_picture(picture, tmp_path / "p.gif", "gif")


def test_the_graph_tells_what_was_swapped():
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "private.png"}},
        "2": {"class_type": "FacePartDetect", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "PartReference", "inputs": {"parts": ["2", 0], "brows": 0.5, "nose": 0.0}},
        "4": {
            "class_type": "PartComposite",
            "inputs": {"target": ["2", 0], "eyes": ["2", 0], "references.reference0": ["3", 0]},
        },
        "5": {"class_type": "MaskedFusion", "inputs": {"target": ["4", 0]}},
        "6": {"class_type": "MarkEdited", "inputs": {"images": ["5", 0]}},
        "7": {"class_type": "AdditionInject", "inputs": {}},
    }
    edits = edits_before(graph, "6")
    assert edits == ["Parts of several photographs composited: eyes, brows", "Region made anew by a diffusion model"]
    assert edits_before(graph, "4") == []
