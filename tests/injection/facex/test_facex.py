"""FaceX's learned parts without a host: region tokens, adapters, assembling, the file, sizes."""

import copy
import json
from dataclasses import replace

import pytest
import torch
from face_part_fusion.command.main import main
from face_part_fusion.detectors.motion import MOTION, NAMES
from face_part_fusion.detectors.parts import Face, FaceParts, Region
from face_part_fusion.fusion.regions.tasks import ANEW, REGIONS, regions_from
from face_part_fusion.injection.faces.motion_groups import PROVIDER
from face_part_fusion.injection.facex.adapters import RECOGNISER, VISION, Source
from face_part_fusion.injection.facex.assemble import assemble_representation
from face_part_fusion.injection.facex.control import RepresentationControl, block_channels
from face_part_fusion.injection.facex.file import build_controller, new_controller, read_config, save_controller
from face_part_fusion.injection.facex.model import FaceX, FaceXConfig, default_config, providers_of
from face_part_fusion.injection.facex.region_tokens import RegionTokens, disjoint_masks, mask_pool
from face_part_fusion.injection.facex.representation import FaceRepresentation
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file

SOURCES = {
    "identity": Source(RECOGNISER, 3, 8),
    "region": Source(VISION, 8, 16),
    **{group: Source(PROVIDER, 1, len(values)) for group, values in MOTION.items()},
    "inpaint": Source(VISION, 4, 24),
}
SMALL = FaceXConfig("sd15", block_channels(16), SOURCES)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def person(count=1, seed=0, **changes):
    made = FaceRepresentation(
        regions=draw(count, 8, 16, seed=seed), present=torch.ones(count, 8, dtype=torch.bool),
        identity=draw(count, 3, 8, seed=seed), motion=draw(count, len(NAMES), seed=seed),
        inpaint=draw(count, 4, 24, seed=seed), providers=providers_of(SMALL),
    )  # fmt: skip
    return replace(made, **changes)


def parameters(module):
    return sum(weight.numel() for weight in module.parameters())


# Region tokens


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6))
def test_mask_pooling_of_a_coordinate_coded_map_gives_the_masked_mean_place(seed):
    generator = torch.Generator().manual_seed(seed)
    masks = torch.rand(2, 3, 6, 5, generator=generator) * (torch.rand(2, 3, 6, 5, generator=generator) > 0.5)
    masks[:, 0, 2, 3] += 0.5
    ys, xs = torch.meshgrid(torch.arange(6.0), torch.arange(5.0), indexing="ij")
    tokens, present = mask_pool(torch.stack([xs, ys]).expand(2, -1, -1, -1), masks)
    for b, r in ((b, r) for b in range(2) for r in range(3)):
        total = float(masks[b, r].sum())
        assert bool(present[b, r]) == (total > 0)
        mean = [float((masks[b, r] * axis).sum()) / total if total else 0.0 for axis in (xs, ys)]
        assert tokens[b, r].tolist() == pytest.approx(mean, abs=1e-4)


@pytest.fixture(scope="module")
def regions():
    torch.manual_seed(0)
    module = RegionTokens(width=24, inner=16)
    with torch.no_grad():
        module.empty.copy_(draw(8, 16, seed=9))
    return module


def region_maps():
    masks = torch.zeros(1, 8, 32, 32)
    for r in range(7):
        masks[0, r, 4 * r : 4 * r + 4, 3:29] = 1
    return masks


def test_permuting_regions_permutes_tokens(regions):
    patches, masks = draw(1, 16, 24), region_maps()
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    tokens, _ = regions(patches, (4, 4), masks)
    permuted, _ = regions(patches, (4, 4), torch.cat([masks[:, order], masks[:, 7:]], 1))
    assert torch.equal(permuted[:, :7], tokens[:, order])


def test_a_region_without_pixels_gives_its_learned_empty_token_and_is_reported(regions):
    tokens, present = regions(draw(1, 16, 24), (4, 4), region_maps())
    assert present[0].tolist() == [True] * 7 + [False]
    assert torch.equal(tokens[0, 7], regions.empty[7])
    assert not any(torch.equal(tokens[0, r], regions.empty[r]) for r in range(7))


def test_the_pyramid_is_four_times_finer_and_sees_non_square_grids(regions):
    assert regions.pyramid(draw(2, 24, 3, 5)).shape == (2, 16, 12, 20)


def test_a_region_sees_its_own_place_and_gradients_reach_every_level(regions):
    patches = draw(1, 256, 24)
    changed = patches.clone()
    changed[0, 240:] += 1
    masks = torch.zeros(1, 8, 64, 64)
    masks[0, 0, :16] = masks[0, 1, 60:] = 1
    before, after = (regions(p, (16, 16), masks)[0] for p in (patches, changed))
    assert torch.equal(before[0, 0], after[0, 0]) and not torch.equal(before[0, 1], after[0, 1])
    regions.zero_grad()
    before.sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in regions.parameters())


def test_regions_of_a_face_do_not_overlap_and_missing_ones_are_black():
    def area(x0, y0, x1, y1):
        mask = torch.zeros(40, 40)
        mask[y0:y1, x0:x1] = 1
        return Region(mask=mask)

    eyes = {"left_eye": area(10, 12, 16, 15), "right_eye": area(24, 12, 30, 15)}
    face = Face((5, 5, 35, 35), 1.0, regions={**eyes, "skin": area(5, 5, 35, 35), "nose": area(18, 15, 22, 24)})
    masks = disjoint_masks(FaceParts(torch.rand(2, 40, 40, 3), ((face,), ()), (0, None)))
    assert masks.shape == (2, 8, 40, 40) and not masks[1].any()
    by_name = dict(zip(REGIONS, masks[0], strict=True))
    assert masks[0].sum(0).amax() <= 1
    assert by_name["eyes"].sum() == 36 and by_name["skin"].sum() == 900 - 36 - 36
    assert not any(by_name[name].any() for name in ("eyebrows", "lips", "ears", "hair", "background"))


# Adapters


@pytest.fixture(scope="module")
def small():
    return new_controller(SMALL)


def test_tokens_stand_in_the_order_of_the_sources_and_each_depends_on_its_own(small):
    count = sum(source.tokens for source in SOURCES.values())
    tokens, empty = small.tokens(person(2))
    assert tokens.shape == (2, count, 768) and empty.shape == (1, count, 768)
    other = person(2, motion=person(2).motion + torch.eye(len(NAMES))[1])
    changed = (small.tokens(other)[0] != tokens).any(-1)[0]
    pose = SOURCES["identity"].tokens + SOURCES["region"].tokens
    assert changed.nonzero().flatten().tolist() == [pose]


def test_what_the_controller_was_made_with_must_be_there_in_its_shape_and_by_its_provider(small):
    with pytest.raises(ValueError, match="needs the representation 'identity' from ArcFace iresnet"):
        small.tokens(person(identity=None))
    with pytest.raises(ValueError, match=r"'inpaint' has shape \(4, 25\); the controller was made for \(4, 24\)"):
        small.tokens(person(inpaint=draw(1, 4, 25)))
    with pytest.raises(ValueError, match="'motion' of face_representation was made by Deep3D.*trained with landmarks"):
        small.tokens(person(providers={**providers_of(SMALL), "motion": "Deep3D"}))


def test_a_controller_takes_identity_of_the_recogniser_that_it_names_and_of_any_where_it_names_none(small):
    bound = {**SOURCES, "identity": Source(f"{RECOGNISER} 0123abcd", 3, 8)}
    bound = new_controller(FaceXConfig("sd15", {}, bound))

    def made_by(name):
        return person(providers={**providers_of(SMALL), "identity": name})

    for name in (RECOGNISER, f"{RECOGNISER} 0123abcd", f"{RECOGNISER} ffff0000"):
        assert small.tokens(made_by(name))[0].isfinite().all()
    assert bound.tokens(made_by(f"{RECOGNISER} 0123abcd"))[0].isfinite().all()
    for name in (RECOGNISER, f"{RECOGNISER} ffff0000"):
        with pytest.raises(ValueError, match=f"'identity' .* made by {name}, .* trained with .*0123abcd"):
            bound.tokens(made_by(name))


def test_a_controller_without_identity_takes_a_face_without():
    without = new_controller(FaceXConfig("sd15", {}, {n: s for n, s in SOURCES.items() if n != "identity"}))
    assert "identity" not in providers_of(without.config)
    assert without.tokens(person(identity=None))[0].shape[1] == 17


# Assembling


def test_regions_come_from_whom_the_task_says_identity_from_the_source_motion_from_the_target(small):
    source, target, inpaint = person(seed=1), person(2, seed=2), draw(1, 4, 24, seed=3)
    given = {"source": source, "target": target}
    made = assemble_representation(given, regions_from("face swap"), small.regions.empty, inpaint)
    for i, region in enumerate(REGIONS):
        giver = target if region in ("background", "ears", "hair") else source
        assert torch.equal(made.regions[:, i], giver.regions[:, i].expand(2, -1))
    assert torch.equal(made.identity, source.identity.expand(2, -1, -1))
    assert torch.equal(made.inpaint, inpaint.expand(2, -1, -1))
    values = dict(zip(NAMES, made.motion.T, strict=True))
    for name, i in ((name, NAMES.index(name)) for name in NAMES):
        giver = source if name.startswith("texture") else target
        assert torch.equal(values[name], giver.motion[:, i].expand(2)), name
    assert small.tokens(made)[0].shape[0] == 2


def test_a_region_that_is_made_anew_gets_the_empty_token(small):
    given = {"source": person(seed=1), "target": person(seed=2)}
    made = assemble_representation(
        given, regions_from("face swap", {"hair": ANEW, "skin": ANEW}), small.regions.empty, draw(1, 4, 24)
    )
    hair = REGIONS.index("hair")
    assert torch.equal(made.regions[0, hair], small.regions.empty[hair]) and not made.present[0, hair]
    assert not dict(zip(NAMES, made.motion[0], strict=True))["texture.known"]


def test_people_who_do_not_fit_together_are_refused(small):
    def assemble(source, target):
        people = {n: p for n, p in (("source", source), ("target", target)) if p is not None}
        return assemble_representation(people, regions_from("head swap"), small.regions.empty, draw(1, 4, 24))

    with pytest.raises(ValueError, match="'source', which is not there"):
        assemble(None, person())
    with pytest.raises(ValueError, match="'target', which is not encoded for FaceX"):
        assemble(person(), FaceRepresentation())
    with pytest.raises(ValueError, match="has 2 pictures and another 3"):
        assemble(person(2), person(3))
    with pytest.raises(ValueError, match="encoded by other models"):
        assemble(person(), person(providers={}))


# The file


def metadata_of(path):
    with safe_open(path, "pt") as file:
        return file.metadata()


def test_a_new_controller_is_the_same_for_the_same_seed_and_comes_back_from_its_file(tmp_path, small):
    path = save_controller(small, tmp_path / "deeper" / "new.safetensors")
    weights, metadata = load_file(path), metadata_of(path)
    module = build_controller(weights, metadata)
    module.load_state_dict(weights)
    assert module.config == SMALL
    again, other = new_controller(SMALL).state_dict(), new_controller(SMALL, 1).state_dict()
    for name, weight in module.state_dict().items():
        assert torch.equal(weight, again[name]), name
    assert any(not torch.equal(weights[name], other[name]) for name in weights)
    assert json.loads(metadata["sources"])["inpaint"] == {"provider": VISION, "tokens": 4, "width": 24}


def test_only_the_projection_after_the_new_cross_attention_begins_at_zero(small):
    for block in small.control.blocks.values():
        for name, layer in block.named_children():
            assert bool(layer.weight.any()) == (name != "zero"), name
        assert not block.zero.bias.any()
    assert all(layer.weight.any() for layer in small.representation.linear.values())
    assert small.sd.empty.any() and small.sd.position.any() and small.regions.empty.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "pt"}, "format 'pt', needed is 'face-part-fusion facex controller'"),
        ({"version": "2"}, "version 2 and this pack reads 1"),
        ({"family": "sdxl"}, "'sdxl' is not a FaceX model family; known are sd15, sd2"),
        ({"sources": "{"}, "metadata is damaged"),
        ({"sources": "{}"}, "metadata is damaged"),
        ({"channels": json.dumps({"input_3": 32})}, "block 'input_3', which no UNet has: input_1, input_2"),
        ({"channels": json.dumps({"input_1": 30})}, "input_1 is 30 wide; the family 'sd15' needs a multiple of 8"),
        ({"family": "sd2", "channels": json.dumps(block_channels(64))}, "of the wrong shape"),
    ],
)
def test_a_file_that_says_something_else_of_itself_is_refused(tmp_path, small, change, message):
    path = save_controller(small, tmp_path / "c.safetensors")
    with pytest.raises(ValueError, match=message):
        build_controller(load_file(path), metadata_of(path) | change)


def test_a_file_that_is_not_whole_is_refused_with_the_key(tmp_path, small):
    path = save_controller(small, tmp_path / "c.safetensors")
    weights, metadata = load_file(path), metadata_of(path)
    with pytest.raises(ValueError, match=r"FaceX controller .*: 1 missing \(control.blocks.input_1.norm.bias\); copy"):
        build_controller({k: v for k, v in weights.items() if k != "control.blocks.input_1.norm.bias"}, metadata)
    with pytest.raises(ValueError, match=r"1 unknown \(what\)"):
        build_controller({**weights, "what": torch.zeros(1)}, metadata)
    with pytest.raises(ValueError, match=r"1 of the wrong shape \(sd.empty is \(1,\), needed is"):
        build_controller({**weights, "sd.empty": torch.zeros(1)}, metadata)
    broken = weights["sd.empty"].clone()
    broken[0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="sd.empty holds values that are not finite"):
        build_controller({**weights, "sd.empty": broken}, metadata)
    with pytest.raises(ValueError, match="sd.empty is of type torch.int64, needed is float32"):
        build_controller({**weights, "sd.empty": broken.nan_to_num().long()}, metadata)
    with pytest.raises(ValueError, match="metadata says format 'nothing'.*new-controller"):
        read_config(None)


def test_the_command_writes_a_controller_at_full_size(tmp_path, capsys):
    path = tmp_path / "controller.safetensors"
    assert main(["new-controller", "-o", str(path)]) == 0
    assert "73,043,200 parameters" in capsys.readouterr().out
    config = read_config(metadata_of(path))
    assert config == default_config("sd15") and path.stat().st_size == pytest.approx(4 * 73_043_200, rel=1e-3)
    assert main(["new-controller", "-o", str(tmp_path / "controller.pt")]) == 2
    assert "end its name in .safetensors" in capsys.readouterr().err


# Sizes


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gives_what_float32_gives(small, regions, dtype):
    face, patches, masks = person(2), draw(1, 16, 24), region_maps()
    tokens, empty = (t.float() for t in copy.deepcopy(small).to(dtype).tokens(face))
    known, known_empty = small.tokens(face)
    assert (tokens - known).abs().max() < 0.02 * known.std() * (1 if dtype == torch.float16 else 8)
    assert torch.equal(empty, known_empty.to(dtype).float())
    pooled, present = copy.deepcopy(regions).to(dtype)(patches, (4, 4), masks)
    known, known_present = regions(patches, (4, 4), masks)
    assert torch.equal(present, known_present) and pooled.dtype == torch.float32
    assert (pooled - known).abs().max() < 0.02 * known.std() * (1 if dtype == torch.float16 else 8)


@pytest.mark.parametrize(
    ("family", "whole", "control"), [("sd15", 73_043_200, 56_390_400), ("sd2", 81_047_808, 62_780_160)]
)
def test_sizes_at_full_scale_are_those_of_the_docstrings(family, whole, control):
    with torch.device("meta"):
        module = FaceX(default_config(family))
    assert parameters(module) == whole and parameters(module.control) == control
    assert parameters(module.regions) == 13_381_120
    assert module.sd.position.shape[1] == 318
    said = ((FaceX, whole), (RepresentationControl, control), (RegionTokens, 13_381_120))
    for text, number in ((kind.__doc__, number) for kind, number in said):
        assert f"{number:,}" in text and all(f"{size * number / 1e6:.0f}" in text for size in (2, 4))


def test_the_full_size_modules_give_the_published_shapes():
    with torch.device("meta"):
        module = FaceX(default_config("sd2"))
        tokens, present = module.regions(torch.zeros(1, 256, 1024), (16, 16), torch.zeros(1, 8, 224, 224))
        assert tokens.shape == (1, 8, 512) and present.shape == (1, 8)
        block = module.control.blocks["output_3"]
        keys, values = block.project(torch.zeros(1, 318, 1024))
        assert keys.shape == values.shape == (1, 20, 318, 64)
        assert block(torch.zeros(1, 64, 1280), keys, values).shape == (1, 64, 1280)
