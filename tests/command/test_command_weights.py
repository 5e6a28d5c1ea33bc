"""`face-part-fusion swap --weights`: from photographs to a photograph, with tiny random models in the real layouts."""

import json
import re
import shutil
import sys

import pytest
import torch
from face_part_fusion.command.faces import Finder
from face_part_fusion.command.main import main
from face_part_fusion.command.photo import load_photo, save_photo
from face_part_fusion.detectors.conventions import fuse_any_part_boxes
from safetensors.torch import load_file, save_file
from support.fuse_weights import TINY, random_fap

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")

WIDTH = 32


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with fap_A.bin, fap_B.bin and base/ with vae/ and image_encoder/; removed at the end."""
    folder = tmp_path_factory.mktemp("models")
    for kind in "AB":
        torch.save(random_fap(kind, TINY, width=WIDTH), folder / f"fap_{kind}.bin")
    torch.manual_seed(0)
    diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4, 4, 4, 4), layers_per_block=1, norm_num_groups=2,
    ).save_pretrained(folder / "base" / "vae")  # fmt: skip
    encoder(WIDTH).save_pretrained(folder / "base" / "image_encoder")
    yield folder
    shutil.rmtree(folder)


def encoder(width):
    return transformers.CLIPVisionModelWithProjection(
        transformers.CLIPVisionConfig(
            hidden_size=width, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=56,
            patch_size=14, projection_dim=8,
        )
    )  # fmt: skip


def swap(files, portrait, out, *more, kind="A"):
    model = ["--weights", files / f"fap_{kind}.bin", "--base", files / "base", "--steps", 1, "--guidance", 1]
    words = ["swap", "--target", portrait, "-o", out, "--order", "left-right", *model, *more]
    return main([str(word) for word in words])


def changed(portrait, out):
    return (load_photo(portrait) != load_photo(out)).any(-1)[0]


def boxes(portrait, room=0):
    """The published boxes of eyes and mouth in the photograph, `room` pixels larger on every side, as a mask."""
    mask = torch.zeros(320, 320, dtype=torch.bool)
    published = fuse_any_part_boxes(Finder("large-small", 0.5)(str(portrait)).face(0), (320, 320))
    for part in ("eyes", "mouth"):
        y0, x0, y1, x1 = (round(320 * value) for value in published[part])
        mask[y0 - room : y1 + room, x0 - room : x1 + room] = True
    return mask


def test_the_parts_are_generated_from_the_chosen_face_and_all_else_stays_bit_for_bit(
    files, portrait, pair, tmp_path, capsys
):
    pictures = []
    for number in (0, 1):
        out = tmp_path / f"out-{number}.png"
        assert swap(files, portrait, out, "--eyes", f"{pair}#{number}", "--mouth", pair, "--seed", 5) == 0
        printed = capsys.readouterr()
        assert printed.out == f"wrote {out.resolve()}\n" and "face-part-fusion swap: 100%" in printed.err
        different = changed(portrait, out)
        assert different[boxes(portrait)].float().mean() > 0.9 and not different[~boxes(portrait, 15)].any()
        pictures.append(load_photo(out))
    assert not torch.equal(*pictures)


def test_variant_b_in_practical_mode_generates_single_sides_and_leaves_the_black_area_of_the_mask(
    files, portrait, pair, tmp_path
):
    mask = torch.zeros(320, 320, 3)
    mask[:, :160] = 1
    options = ["--mode", "practical", "--eyes", pair, "--left-brow", pair, "--strength", "left-brow=0.5"]
    painted = save_photo(mask, tmp_path / "mask.png")
    assert swap(files, portrait, tmp_path / "out.png", *options, "--mask", painted, kind="B") == 0
    different = changed(portrait, tmp_path / "out.png")
    assert different[:, :160].sum() > 200 and not different[:, 160:].any()


def fails(capsys, status):
    assert status == 2
    out, err = capsys.readouterr()
    last = err.splitlines()[-1]
    assert out == "" and last.startswith("face-part-fusion: ") and "Traceback" not in err
    return last


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--warp", "piecewise"], "--warp is for fusing pixels and does nothing with --weights"),
        (["--tone", "0.5"], "--tone is for fusing pixels"),
        (["--grow", "2"], "--grow is for fusing pixels"),
        (["--base", ""], "base is empty; write a name there"),
        (["--weights", "", "--seed", "3"], "weights is empty; write a name there"),
        (["--weights", "none.bin"], "there is no file none.bin .*fap.bin of Thomas-Tom/FuseAnyPart"),
        (["--base", "nowhere"], "there is no file nowhere/vae/config.json; .*SG161222/Realistic_Vision_V4.0_noVAE"),
        (["--encoder", "nowhere"], "no file nowhere/config.json; encoder .*ViT-H/14 .*image_encoder of h94/IP-Adapter"),
        (["--steps", "0"], "steps is 0; it must be 1 to 1000"),
        (["--seed", "-1"], "seed is -1; it must be 0 to"),
        (["--strength", "nose=0"], "every part has the strength 0"),
        (["--left-eye", "P"], "mode 'released' has no part 'left_eye', only eyes, nose, mouth"),
        (["--strength", "nose=2"], "the strength of 'nose' is 2.0; it goes from 0 to 1"),
        (["--mask", "SMALL"], "--mask .*small.png: mask is 50 x 40 pixels but the pictures are 320 x 320"),
    ],
)
def test_a_wrong_choice_is_refused_and_nothing_is_written(more, message, files, portrait, tmp_path, capsys):
    small = save_photo(torch.ones(40, 50, 3), tmp_path / "small.png")
    words = [{"P": portrait, "SMALL": small}.get(word, word) for word in more]
    assert re.search(message, fails(capsys, swap(files, portrait, tmp_path / "out.png", "--nose", portrait, *words)))
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("package", ["diffusers", "transformers", "tqdm"])
def test_a_missing_package_is_refused_with_the_command_that_installs_it(
    package, files, portrait, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, package, None)
    message = fails(capsys, swap(files, portrait, tmp_path / "out.png", "--nose", portrait))
    assert package in message and message.endswith('run: pip install "face-part-fusion[diffusers]"')


def test_files_of_another_kind_are_refused(files, portrait, tmp_path, capsys):
    def message(*more):
        return fails(capsys, swap(files, portrait, tmp_path / "out.png", "--nose", portrait, *more))

    vae = files / "base" / "vae"
    assert "is a VAE" in message("--weights", vae / "diffusion_pytorch_model.safetensors")
    assert f"{vae} cannot be read" in message("--encoder", vae)
    encoder(48).save_pretrained(tmp_path / "wide")
    wrong = message("--encoder", tmp_path / "wide")
    assert f"is 48 wide, but {files / 'fap_A.bin'} needs 32; take ViT-H/14" in wrong


def test_a_base_with_tensors_missing_or_no_weights_or_other_latents_is_refused(files, portrait, tmp_path, capsys):
    def message():
        return fails(capsys, swap(files, portrait, tmp_path / "out.png", "--nose", portrait, "--base", tmp_path))

    vae = shutil.copytree(files / "base" / "vae", tmp_path / "vae")
    shutil.copytree(files / "base" / "image_encoder", tmp_path / "image_encoder")
    weights = load_file(vae / "diffusion_pytorch_model.safetensors")
    weights.pop("decoder.conv_in.bias")
    save_file(weights, vae / "diffusion_pytorch_model.safetensors", {"format": "pt"})
    assert f"{vae} does not hold a complete AutoencoderKL: 1 missing (decoder.conv_in.bias)" in message()
    (vae / "diffusion_pytorch_model.safetensors").write_bytes(b"cut")
    assert f"{vae} cannot be read" in message()
    (vae / "diffusion_pytorch_model.safetensors").unlink()
    assert f"{vae} cannot be read" in message()
    (vae / "config.json").write_text("{")
    assert f"{vae} cannot be read" in message()
    shutil.copy(files / "base" / "vae" / "config.json", vae)
    config = json.loads((vae / "config.json").read_text())
    diffusers.AutoencoderKL.from_config({**config, "latent_channels": 16}).save_pretrained(vae)
    assert f"{vae} makes latents of 16 channels" in message()
