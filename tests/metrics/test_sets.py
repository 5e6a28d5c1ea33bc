"""Figures of whole sets: retrieval, the two-sample test, appearance and the Frechet distance's name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from face_part_fusion.fusion.composite import PartReference, composite
from face_part_fusion.injection.faces.deep3d_network import read_deep3d
from face_part_fusion.metrics.appearance import appearance, face_crops, masked
from face_part_fusion.metrics.expression import deep3d_difference
from face_part_fusion.metrics.frechet import fid, frechet_distance
from face_part_fusion.metrics.identity import read_face_vectors, retrieval, same_person
from face_part_fusion.metrics.lpips import lpips
from face_part_fusion.metrics.score import Networks, Triple, score
from face_part_fusion.metrics.two_sample import told_in_pairs, two_sample_test
from support.network_weights import IRESNETS, deep3d_shapes, filled, iresnet_shapes
from support.onnx_swappers import recogniser_file


def test_retrieval_counts_the_right_person_among_the_first():
    gallery = torch.eye(4)
    queries = torch.tensor([[1, 0.2, 0, 0], [0.9, 0.5, 0.1, 0], [0.5, 0.4, 0.3, 0.2]])
    right = torch.tensor([0, 1, 3])
    assert [retrieval(queries, gallery, right, first) for first in (1, 2, 3, 4)] == pytest.approx(
        [1 / 3, 2 / 3, 2 / 3, 1]
    )
    # Equal vectors tell nobody.
    assert retrieval(torch.ones(1, 4), torch.ones(3, 4), torch.tensor([0])) == 0
    with pytest.raises(ValueError, match="came 0 queries"):
        retrieval(torch.zeros(0, 4), gallery, torch.zeros(0))


def test_two_sets_of_one_kind_cannot_be_told_apart_and_others_can():
    draw = torch.Generator().manual_seed(3)
    one, other = torch.randn(80, 40, generator=draw), torch.randn(80, 40, generator=draw)
    same = two_sample_test(one, other, range(80), range(80))
    assert abs(same.auc - 0.5) < 3 * same.error and 0.02 < same.error < 0.08
    assert two_sample_test(one + 3, other, range(80), range(80)).auc > 0.99


def test_in_pairs_the_person_does_not_count():
    assert told_in_pairs(torch.tensor([1.0, 5, 3, 2]), torch.tensor([0.0, 4, 3, 9])) == 0.625
    with pytest.raises(ValueError, match="came 0 and 0"):
        told_in_pairs(torch.zeros(0), torch.zeros(0))


def test_people_are_not_known_again_in_the_test():
    """Every person has a vector of their own; made pictures of few people are told by the person alone, if at all."""
    draw = torch.Generator().manual_seed(4)
    people = 5 * torch.randn(20, 30, generator=draw)
    groups = [i // 5 for i in range(100)]
    noise = torch.randn(200, 30, generator=draw)
    made, real = people[groups] + noise[:100], people[groups] + noise[100:]
    test = two_sample_test(made[:50], real[50:], groups[:50], groups[50:])
    assert test.auc < 0.8
    with pytest.raises(ValueError, match="at least 5 in each set; came 3"):
        two_sample_test(made[:15], real, groups[:15], groups)


def test_appearance_sees_a_pasted_square(astronaut):
    crops = face_crops(astronaut)
    assert crops.shape == (1, 128, 128, 3)
    pasted = crops.clone()
    pasted[:, 40:70, 40:70] += 0.2
    blank, seen = appearance(crops), appearance(pasted.clamp(0, 1))
    assert blank.shape == seen.shape and float((blank - seen).abs().max()) > 0.5
    assert torch.equal(blank, appearance(crops))
    assert torch.equal(masked(crops, torch.zeros(1, 128, 128)), torch.full_like(crops, 0.5))


def test_a_closer_crop_lies_around_its_part(astronaut):
    closer = face_crops(astronaut, ["mouth"])
    assert closer.shape == (1, 128, 128, 3) and not torch.equal(closer, face_crops(astronaut))


@pytest.mark.parametrize("kind", ["arcface_torch", "onnx"])
def test_any_recogniser_gives_vectors(tmp_path, astronaut, other, kind):
    if kind == "onnx":
        path = recogniser_file(tmp_path / "w600k_r50.onnx")
    else:
        path = tmp_path / "backbone.pth"
        torch.save(filled(iresnet_shapes(IRESNETS["r18"])), path)
    read = read_face_vectors(path)
    one, two = read(astronaut)[0], read(other)[0]
    assert one.shape == (512,) and same_person(one, one) == pytest.approx(1)
    assert same_person(one, two) < 0.9999
    assert path.name in read.name


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no face recogniser .*w600k_r50.onnx"):
        read_face_vectors(tmp_path / "nothing.onnx")
    with pytest.raises(ValueError, match="FID needs Inception's weights"):
        fid(tmp_path, tmp_path, tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=r"came \(1, 4\) and \(5, 4\)"):
        frechet_distance(torch.zeros(1, 4), torch.zeros(5, 4))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises((ValueError, ModuleNotFoundError), match="LPIPS needs"):
        lpips()


def test_the_name_fid_is_for_inception_alone():
    """A number by another encoder bears that encoder's name."""
    room = Path(frechet_distance.__code__.co_filename).parent
    for file in room.glob("*.py"):
        if file.stem != "frechet":
            assert "FID" not in file.read_text(encoding="utf-8"), file.name


def test_a_composite_is_harder_to_tell_than_a_hard_paste(astronaut, other):
    fused = composite(astronaut, [PartReference(other, {"nose": 1.0})])[0]
    pasted = astronaut.pictures.clone()
    pasted[:, 120:160, 130:170] = 0.5
    plain = appearance(face_crops(astronaut))
    far, near = (appearance(face_crops(replace(astronaut, pictures=each))) for each in (pasted, fused))
    assert float((far - plain).norm()) > float((near - plain).norm()) > 0


def test_expression_by_the_users_deep3d(tmp_path, astronaut, other):
    path = tmp_path / "epoch_20.pth"
    torch.save({"net_recon": filled(deep3d_shapes())}, path)
    networks = Networks(deep3d=read_deep3d(path))
    same = score(Triple(astronaut, astronaut), networks).values["expression_deep3d"]
    assert same == 0 < deep3d_difference(networks.deep3d, astronaut, other)
