"""A person in one file: what was saved comes back, other files are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from face_part_fusion.command.photo import load_photo
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.find import find_faces
from face_part_fusion.detectors.parser_builtin import BuiltinParser
from face_part_fusion.detectors.parser_regions import parse_with_builtin
from face_part_fusion.detectors.parts import FaceParts
from face_part_fusion.detectors.selection import choose
from face_part_fusion.fusion.composite import PartReference, composite
from face_part_fusion.injection.files.saved_face import FORMAT, load_face, save_face
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from support.paths import ROOT


def person(role: str, index: int = 0) -> FaceParts:
    picture = load_photo(ROOT / "web" / "examples" / f"face_part_fusion_{role}.jpg")
    return choose(picture, find_faces(picture, BuiltinDetector()), index=index)


def texts_of(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as opened:
        return opened.metadata()


def test_a_parsed_face_comes_back_as_it_was(tmp_path: Path):
    before = parse_with_builtin(person("group", 1), BuiltinParser())
    thumbnail = save_face(before, tmp_path / "anna.safetensors")
    after, small = load_face(tmp_path / "anna.safetensors")
    assert torch.equal(after.pictures, before.pictures) and after.detector == before.detector
    assert len(before.faces[0]) == 3 and len(after.faces[0]) == 1, "other people are not kept"
    one, other = before.face(0), after.face(0)
    assert one.has("hair") and one.regions["hair"].mask is not None
    assert (one.box, one.score, one.scheme, one.angles) == (other.box, other.score, other.scheme, other.angles)
    assert torch.equal(one.landmarks, other.landmarks) and torch.equal(one.depth, other.depth)
    assert (one.hidden, one.covered) == (other.hidden, other.covered) and list(one.regions) == list(other.regions)
    for part, region in one.regions.items():
        same = other.regions[part]
        assert all(torch.equal(a, b) for a, b in zip(region.rings, same.rings, strict=True))
        assert (region.mask is None) == (same.mask is None) and region.corner == same.corner
        assert region.mask is None or torch.equal(region.mask, same.mask)
    assert float((thumbnail - small).abs().max()) <= 0.5 / 255 + 1e-6 and small.shape == (128, 128, 3)
    shown = texts_of(tmp_path / "anna.safetensors")["modelspec.thumbnail"]
    assert shown.startswith("data:image/jpeg;base64,")


def test_a_loaded_person_gives_the_same_fused_picture(tmp_path: Path):
    target, giver = person("target"), person("mouth")
    save_face(giver, tmp_path / "giver.safetensors")
    loaded = load_face(tmp_path / "giver.safetensors").parts
    one, other = (composite(target, [PartReference(each, {"mouth": 1.0})]).pictures for each in (giver, loaded))
    assert torch.equal(one, other) and not torch.equal(one, target.pictures)


def test_a_batch_keeps_a_picture_without_a_face(tmp_path: Path):
    one = person("target")
    both = FaceParts(torch.cat([torch.zeros_like(one.pictures), one.pictures]), ((), one.faces[0]), (None, 0))
    save_face(both, tmp_path / "a.safetensors")
    back = load_face(tmp_path / "a.safetensors").parts
    assert back.chosen == (None, 0) and len(back) == 2
    with pytest.raises(ValueError, match="parts has no chosen face in any picture"):
        save_face(replace(both, chosen=(None, None)), tmp_path / "b.safetensors")


def _set(key: str, value: Any) -> Callable[[list[Any]], None]:
    return lambda records: records[0].__setitem__(key, value)


@pytest.mark.parametrize(
    "change",
    [
        _set("box", [1, 2, 3]), _set("box", [9, 0, 1, 5]), _set("scheme", "other"), _set("angles", [1]),
        _set("regions", {"beak": {"rings": 0, "mask": False, "corner": [0, 0]}}),
        _set("regions", {"nose": {"rings": 9, "mask": False, "corner": [0, 0]}}),
        lambda records: records.append(records[0]), lambda records: records[0].pop("score"),
    ],
)  # fmt: skip
def test_a_record_that_was_changed_is_refused(tmp_path: Path, change: Callable[[list[Any]], None]):
    file = tmp_path / "a.safetensors"
    save_face(person("target"), file)
    tensors, texts = load_file(file), texts_of(file)
    records = json.loads(texts["faces"])
    change(records)
    save_file(tensors, file, texts | {"faces": json.dumps(records)})
    with pytest.raises(ValueError, match="a saved face that was changed since; choose a file"):
        load_face(file)


def test_other_files_are_refused(tmp_path: Path):
    file = tmp_path / "a.safetensors"
    save_file({"a": torch.ones(1)}, file, {"format": "other 1"})
    with pytest.raises(ValueError, match="holds no saved face .its format is 'other 1'"):
        load_face(file)
    save_file({"0.picture": torch.ones(9, dtype=torch.uint8)}, file, {"format": FORMAT, "faces": "[null]"})
    with pytest.raises(ValueError, match="was changed since"):
        load_face(file)
    save_face(person("target"), file)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(ValueError, match="cut short or damaged"):
        load_face(file)


def test_the_thumbnail_shows_the_face(tmp_path: Path):
    one = person("target")
    made = save_face(one, tmp_path / "a.safetensors")
    x0, y0, x1, y1 = map(round, one.face(0).box)
    face = Image.fromarray((one.pictures[0, y0:y1, x0:x1].numpy() * 255).astype(np.uint8)).resize((74, 74))
    middle = made[27:101, 27:101].numpy() * 255
    assert np.abs(middle.mean((0, 1)) - np.asarray(face).astype(float).mean((0, 1))).max() < 25
