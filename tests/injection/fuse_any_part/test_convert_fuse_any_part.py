import os
import subprocess
import sys

import pytest
import torch
from face_part_fusion.command.main import main
from face_part_fusion.injection.files.weight_file import read_weights
from face_part_fusion.injection.fuse_any_part.checkpoint import read_checkpoint
from face_part_fusion.injection.fuse_any_part.convert import convert
from safetensors import safe_open
from safetensors.torch import save_file
from support.fuse_weights import TINY, flat, random_fap
from support.paths import TESTS

WIDTH = 16


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Kind -> its file as published, and every tensor in it by full name."""
    folder = tmp_path_factory.mktemp("published")
    a, b = random_fap("A", TINY, 1, WIDTH), random_fap("B", TINY, 2, WIDTH)
    torch.save(a, folder / "fap.bin")
    (folder / "checkpoint-1000").mkdir()
    save_file(b, folder / "checkpoint-1000" / "model.safetensors")
    return {"A": (folder / "fap.bin", flat(a)), "B": (folder / "checkpoint-1000", b)}


def fails(capsys, *arguments):
    assert main(["convert", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("face-part-fusion: ") and err.count("\n") == 1
    return err


@pytest.mark.parametrize("kind", "AB")
def test_float32_comes_back_exactly_and_reads_as_the_same_checkpoint(sources, kind, tmp_path, capsys):
    source, tensors = sources[kind]
    out = tmp_path / "new folder" / "fap.safetensors"
    assert main(["convert", str(source), "-o", str(out)]) == 0
    parameters, size = sum(t.numel() for t in tensors.values()), out.stat().st_size / 1e9
    assert capsys.readouterr().out == (
        f"wrote {out.resolve()}: FuseAnyPart variant {kind}, {parameters:,} parameters, float32, {size:.2f} GB\n"
    )
    with safe_open(out, "pt") as file:
        name = "fap.bin" if kind == "A" else "model.safetensors"
        assert file.metadata() == {"format": "pt", "kind": kind, "source": name, "precision": "float32"}
    written = read_weights(out)
    assert written.keys() == tensors.keys() and all(torch.equal(written[k], t) for k, t in tensors.items())
    before, after = (read_checkpoint(read_weights(path), "x") for path in (source, out))
    assert after.kind == kind and all(torch.equal(after.adapter[k], t) for k, t in before.adapter.items())
    published = source / "model.safetensors" if kind == "B" else source
    assert list(tmp_path.rglob("*.part")) == [] and out.stat().st_mode == published.stat().st_mode


@pytest.mark.parametrize("kind", "AB")
def test_half_is_float16_of_every_tensor_at_half_the_size(sources, kind, tmp_path):
    source, tensors = sources[kind]
    done = convert(source, tmp_path / "half.safetensors", half=True)
    whole = convert(source, tmp_path / "whole.safetensors")
    written = read_weights(done.path)
    assert all(torch.equal(written[k], t.half()) for k, t in tensors.items()) and len(written) == len(tensors)
    assert done.precision == "float16" and done.parameters == whole.parameters and done.size < 0.51 * whole.size
    assert read_checkpoint(written, "x").dtype == torch.float16


def test_a_value_that_float16_cannot_hold_is_told_and_nothing_is_written(sources, tmp_path, capsys):
    state = {k: t.clone() for k, t in sources["B"][1].items()}
    state["unet.conv_out.bias"][1] = -70000
    save_file(state, tmp_path / "large.safetensors")
    message = fails(capsys, tmp_path / "large.safetensors", "-o", tmp_path / "out.safetensors", "--half")
    assert "unet.conv_out.bias holds 70000, which float16 cannot hold" in message and "without --half" in message
    assert not (tmp_path / "out.safetensors").exists()
    assert main(["convert", str(tmp_path / "large.safetensors"), "-o", str(tmp_path / "out.safetensors")]) == 0


def test_tensors_that_share_memory_or_are_turned_are_written_by_value(sources, tmp_path):
    state = dict(sources["B"][1])
    pool = torch.randn(8)
    state["unet.conv_out.bias"] = pool[2:6]
    turned = state["unet.time_embedding.linear_1.weight"].T.contiguous().T
    state["unet.time_embedding.linear_1.weight"] = turned
    torch.save(state, tmp_path / "views.bin")
    written = read_weights(convert(tmp_path / "views.bin", tmp_path / "out.safetensors").path)
    assert torch.equal(written["unet.conv_out.bias"], pool[2:6])
    assert torch.equal(written["unet.time_embedding.linear_1.weight"], turned)


def test_the_input_is_never_overwritten(sources, tmp_path, capsys):
    source = tmp_path / "fap.safetensors"
    convert(sources["A"][0], source)
    content = source.read_bytes()
    link = tmp_path / "link.safetensors"
    os.link(source, link)
    for output in (source, link, tmp_path / "." / "fap.safetensors"):
        assert "is read and would be overwritten" in fails(capsys, source, "-o", output)
    assert source.read_bytes() == content


def test_an_output_of_another_kind_and_wrong_files_are_told(sources, tmp_path, capsys):
    assert "must end in .safetensors" in fails(capsys, sources["A"][0], "-o", tmp_path / "fap.bin")
    assert "there is no file" in fails(capsys, tmp_path / "no.bin", "-o", tmp_path / "out.safetensors")
    save_file({"lora_unet_x.lora_up.weight": torch.ones(2)}, tmp_path / "lora.safetensors")
    message = fails(capsys, tmp_path / "lora.safetensors", "-o", tmp_path / "out.safetensors")
    assert f"{tmp_path / 'lora.safetensors'} is a LoRA" in message and not (tmp_path / "out.safetensors").exists()


def test_converting_needs_nothing_but_torch_and_safetensors(sources, tmp_path):
    code = (
        "import sys; sys.path.insert(0, {tests!r}); import conftest\n"
        "for name in ('PIL', 'tqdm', 'diffusers', 'transformers', 'skimage', 'cv2'): sys.modules[name] = None\n"
        "from face_part_fusion.injection.fuse_any_part.convert import convert\n"
        "print(convert({source!r}, {target!r}).kind)"
    ).format(tests=str(TESTS), source=str(sources["A"][0]), target=str(tmp_path / "out.safetensors"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "A\n", done.stderr
