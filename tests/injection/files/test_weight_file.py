import os
import pickle
import zipfile

import pytest
import torch
from face_part_fusion.injection.files.weight_file import read_metadata, read_weights, weight_path
from safetensors.torch import save_file

STATE = {"a": torch.arange(1000.0), "b": torch.ones(3, dtype=torch.float16)}


class Command:
    """A pickle of this runs a command when it is read carelessly."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def fails(path):
    with pytest.raises(ValueError) as refusal:
        read_weights(path, "take fap.bin")
    message = str(refusal.value)
    assert str(path) in message and "\n" not in message
    return message


def write(path, **how):
    (save_file if path.suffix == ".safetensors" else torch.save)(STATE, path, **how)
    return path


@pytest.mark.parametrize("name", ["w.bin", "w.pt", "w.pth", "w.safetensors"])
def test_every_kind_of_file_gives_its_tensors_back(tmp_path, name):
    read = read_weights(write(tmp_path / name))
    assert read.keys() == STATE.keys() and all(torch.equal(read[k], v) for k, v in STATE.items())


def test_the_old_pickle_layout_and_nested_tables_are_read(tmp_path):
    torch.save({"unet": STATE}, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    assert torch.equal(read_weights(tmp_path / "old.bin")["unet"]["a"], STATE["a"])


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_named_safetensors_is_told_and_the_other_way_round_is_read(tmp_path, zipped):
    os.replace(write(tmp_path / "w.safetensors"), tmp_path / "one.bin")
    assert torch.equal(read_weights(tmp_path / "one.bin")["a"], STATE["a"])
    os.replace(write(tmp_path / "w.bin", _use_new_zipfile_serialization=zipped), tmp_path / "two.safetensors")
    assert "is named .safetensors but holds a pickle" in fails(tmp_path / "two.safetensors")


def test_no_length_of_a_safetensors_header_is_taken_for_a_pickle(tmp_path):
    firsts = set()
    for length in range(0, 256, 8):
        path = tmp_path / "w.safetensors"
        save_file({"a": torch.ones(1)}, path, {"pad": "x" * length})
        firsts.add(path.read_bytes()[0])
        assert torch.equal(read_weights(path)["a"], torch.ones(1))
    assert 0x80 in firsts, "the first byte of a pickle is one of the lengths"


def test_an_archive_that_was_compressed_again_gives_its_tensors_back(tmp_path):
    with zipfile.ZipFile(write(tmp_path / "w.bin")) as plain, zipfile.ZipFile(tmp_path / "small.bin", "w") as packed:
        for entry in plain.infolist():
            packed.writestr(entry.filename, plain.read(entry), zipfile.ZIP_DEFLATED)
    read = read_weights(tmp_path / "small.bin")
    assert all(torch.equal(read[k], v) for k, v in STATE.items())


def test_a_torchscript_archive_is_refused_by_name(tmp_path):
    with zipfile.ZipFile(write(tmp_path / "program.pt"), "a") as archive:
        archive.writestr("program/constants.pkl", pickle.dumps(()))
    message = fails(tmp_path / "program.pt")
    assert "is a TorchScript archive" in message and message.endswith("; take fap.bin")


def test_a_training_folder_gives_its_model(tmp_path):
    torch.save({"state": {}, "param_groups": []}, tmp_path / "optimizer.bin")
    with pytest.raises(FileNotFoundError, match="holds neither model.safetensors nor pytorch_model.bin"):
        weight_path(tmp_path)
    write(tmp_path / "pytorch_model.bin")
    assert weight_path(tmp_path) == tmp_path / "pytorch_model.bin"
    write(tmp_path / "model.safetensors")
    assert weight_path(tmp_path) == tmp_path / "model.safetensors" and read_weights(tmp_path).keys() == STATE.keys()


def test_only_a_safetensors_file_says_something_of_itself(tmp_path):
    save_file(STATE, tmp_path / "w.safetensors", {"format": "x"})
    assert read_metadata(tmp_path / "w.safetensors") == {"format": "x"}
    assert read_metadata(write(tmp_path / "plain.safetensors")) == read_metadata(write(tmp_path / "w.bin")) == {}
    (tmp_path / "w.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:60])
    with pytest.raises(ValueError, match="w.safetensors is cut short or damaged"):
        read_metadata(tmp_path / "w.safetensors")


def test_a_path_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file .*fap.bin"):
        read_weights(tmp_path / "fap.bin")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("how", ["zip", "old", "plain"])
def test_a_pickle_that_would_run_code_is_refused_and_not_run(tmp_path, how):
    evil, mark = {"a": Command(f"touch {tmp_path / 'ran'}")}, tmp_path / "evil.bin"
    if how == "plain":
        mark.write_bytes(pickle.dumps(evil))
    else:
        torch.save(evil, mark, _use_new_zipfile_serialization=how == "zip")
    message = fails(mark)
    assert "is a pickle that holds more than weights" in message and "refused and nothing in it was run" in message
    assert not (tmp_path / "ran").exists()
    assert how == "plain" or f"it asks to call {os.system.__module__}.system" in message


def test_the_refused_pickle_would_have_run(tmp_path):
    torch.save({"a": Command(f"echo > {tmp_path / 'ran'}")}, tmp_path / "evil.bin")
    torch.load(tmp_path / "evil.bin", weights_only=False)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["w.bin", "w.safetensors", "old.bin"])
@pytest.mark.parametrize("keep", [0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_told(tmp_path, name, keep):
    path = write(tmp_path / name, **({"_use_new_zipfile_serialization": False} if name == "old.bin" else {}))
    data = path.read_bytes()
    path.write_bytes(data[: max(9, int(len(data) * keep))])
    assert "cut short or damaged" in fails(path) or keep < 0.02


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_zip_and_a_pickle_that_are_no_weights_are_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.bin", "w") as file:
        file.writestr("readme.txt", "hello")
    assert "cut short or damaged" in fails(tmp_path / "a.bin")
    (tmp_path / "b.bin").write_bytes(b"\x80" + os.urandom(200))
    assert "damaged" in (message := fails(tmp_path / "b.bin")) or "refused" in message


@pytest.mark.parametrize("content, message", [
    (b"", "is empty (0 bytes)"),
    (b"<!DOCTYPE html>\n<html></html>", "holds no weights: it begins with '<!DOCTYPE html>'"),
    (b"version https://git-lfs.github.com/spec/v1\noid", "holds no weights: it begins with a Git LFS pointer"),
    (b"\xff\xd8\xff\xe0\0\0\0\0\0\0\0", "holds no weights: it begins with bytes ff d8 ff e0"),
    (b"abc", "holds no weights: it begins with 'abc'"),
])  # fmt: skip
@pytest.mark.parametrize("name", ["fap.bin", "fap.safetensors"])
def test_a_file_that_is_no_weights_is_told(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    assert message in fails(tmp_path / name)
