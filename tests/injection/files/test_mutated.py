"""Damaged and hostile weight files by the thousand: each is read or refused in a sentence; none runs or hangs."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import signal
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from face_part_fusion.injection.files.families import family
from face_part_fusion.injection.files.flat_state import flat_state
from face_part_fusion.injection.files.weight_check import check_weights, compare_shapes
from face_part_fusion.injection.files.weight_file import read_metadata, read_weights
from safetensors.torch import save

# Seconds after which a file counts as a hang.
PATIENCE = 20
# What no reading of weights does.
ACTS = ("os.system", "os.exec", "os.fork", "os.spawn", "os.remove", "os.rename", "shutil.rmtree", "subprocess.Popen",
        "socket.connect", "webbrowser.open")  # fmt: skip
seen: list[str] = []
listening = False


def _hook(event: str, arguments: object) -> None:
    if listening and event in ACTS:
        seen.append(event)


sys.addaudithook(_hook)
STATE = {"unet.conv_in.weight": torch.arange(36.0).reshape(1, 4, 3, 3), "proj.bias": torch.ones(5, dtype=torch.float16)}
NESTED = {"state_dict": {"unet": {"module.a": torch.ones(2, 3)}}, "step": 7}


class Evil:
    """A pickle of this makes a folder when it is read carelessly; `os.mkdir` needs no shell."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.mark),)


def sources() -> dict[str, bytes]:
    """One good file of every kind by its name's ending."""
    files = {".safetensors": save(STATE, metadata={"kind": "A"})}
    for name, state, zipped in (("z.bin", STATE, True), ("o.pth", STATE, False), ("n.pt", NESTED, True)):
        memory = io.BytesIO()
        torch.save(state, memory, _use_new_zipfile_serialization=zipped)
        files[name] = memory.getvalue()
    return files


def flip(data: bytearray, r: random.Random, mark: Path) -> bytes:
    for _ in range(r.choice((1, 1, 4, 40))):
        data[r.randrange(len(data))] = r.randrange(256)
    return bytes(data)


def cut(data: bytearray, r: random.Random, mark: Path) -> bytes:
    return bytes(data[: r.randrange(len(data))])


def repeat(data: bytearray, r: random.Random, mark: Path) -> bytes:
    start, size, to = r.randrange(len(data)), r.randrange(1, 200), r.randrange(len(data))
    return bytes(data[:to] + data[start : start + size] + data[to:])


def swap_ends(data: bytearray, r: random.Random, mark: Path) -> bytes:
    middle = r.randrange(len(data))
    return bytes(data[middle:] + data[:middle])


def header(data: bytearray, r: random.Random, mark: Path) -> bytes:
    """Another value of one entry of a safetensors header, or of its length; other files get zeros and ones."""
    if data[6:9] != b"\0\0{":
        data[: r.randrange(1, 60)] = r.choice((b"\0", b"\xff", b"\x80\x02")) * r.randrange(1, 60)
        return bytes(data)
    size = int.from_bytes(data[:8], "little")
    table = json.loads(data[8 : 8 + size])
    entry = table[r.choice([key for key in table if key != "__metadata__"])]
    value = r.choice((-1, 0, 10**18, 2**64, None, "", [], "F4", [0, 10**15], [-4, 2], [[1]], {}, 1e308))
    entry[r.choice(list(entry))] = value
    text = json.dumps(table).encode()
    length = r.choice((len(text), len(text), 2**40, 0, len(text) - 1))
    return length.to_bytes(8, "little") + text + bytes(data[8 + size :])


def inject(data: bytearray, r: random.Random, mark: Path) -> bytes:
    """A call of os.mkdir before or among the opcodes of a pickle."""
    call = pickle.dumps(Evil(mark), protocol=r.choice((0, 2, 4)))
    if data[:2] != b"PK":
        at = r.choice((0, 2, r.randrange(len(data))))
        return bytes(data[:at]) + call[: r.choice((-1, len(call)))] + bytes(data[at:])
    memory = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as old, zipfile.ZipFile(memory, "w", r.choice((0, 8))) as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename.endswith("data.pkl"):
                at = r.choice((2, r.randrange(2, len(content))))
                content = r.choice((call, content[:at] + call[2:-1] + content[at:], content[:2] + call[2:]))
            new.writestr(entry.filename, content)
    return memory.getvalue()


def nest(data: bytearray, r: random.Random, mark: Path) -> bytes:
    """Tables in tables, thousands deep, or a state that is not a table at all."""
    if data[6:9] == b"\0\0{":
        text = b'{"a":' * r.choice((50, 5000, 60000)) + b"1"
        return len(text).to_bytes(8, "little") + text
    deep: object = torch.ones(1)
    for _ in range(r.choice((3, 30, 200))):
        deep = {"state_dict": deep} if r.random() < 0.7 else [deep]
    memory = io.BytesIO()
    torch.save(r.choice((deep, [1, 2], "text", {1: deep}, {"module." * 300: torch.ones(1)}, None)), memory)
    return memory.getvalue()


MUTATIONS = (flip, cut, repeat, swap_ends, header, inject, nest)


@contextmanager
def watched() -> Iterator[None]:
    """Raises TimeoutError in a hang, where the system has alarms."""
    global listening

    def stop(*_: object) -> None:
        raise TimeoutError(f"a file took longer than {PATIENCE} s")

    listening = True
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, stop)
        signal.alarm(PATIENCE)
    try:
        yield
    finally:
        listening = False
        if hasattr(signal, "SIGALRM"):
            signal.alarm(0)


def read(path: Path) -> str:
    """ "" where the file was read, else the sentence."""
    shapes = {key: tuple(tensor.shape) for key, tensor in STATE.items()}
    try:
        read_metadata(path)
        flat = flat_state(read_weights(path), ("unet", "proj"))
        family(flat)
        compare_shapes(flat, shapes)
        check_weights(flat, shapes, source=path, name="the weights", advice="take the published file")
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("files", [350, pytest.param(2400, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore")
def test_mutated_weight_files_are_read_or_refused_in_a_sentence(tmp_path, files):
    good, r, read_whole, refused = sources(), random.Random(16), 0, 0
    mark = tmp_path / "run"
    for number in range(files):
        name, data = r.choice(list(good.items()))
        mutation = MUTATIONS[number % len(MUTATIONS)]
        path = tmp_path / f"{number} {mutation.__name__} ü顔 {name}"
        path.write_bytes(mutation(bytearray(data), r, mark))
        with watched():
            message = read(path)
        assert not mark.exists() and not seen, f"{path.name}: {seen}"
        if message:
            refused += 1
            assert str(path) in message and len(message.split()) >= 8 and "\n" not in message, f"{path.name}: {message}"
            assert message.rpartition("; ")[2].split()[0] in ("fetch", "take", "name") or "; take a" in message, message
        else:
            read_whole += 1
        path.unlink()
    assert read_whole + refused == files and refused > 0.6 * files and read_whole > 0.01 * files


def test_the_hostile_files_would_have_run_under_a_careless_reader(tmp_path):
    """So that the test above can fail."""
    mark, r, ran = tmp_path / "run", random.Random(3), 0
    for _ in range(40):
        try:
            torch.load(io.BytesIO(inject(bytearray(sources()["o.pth"]), r, mark)), weights_only=False)
        except Exception:  # noqa: S110
            pass
        if mark.exists():
            ran += 1
            mark.rmdir()
    assert ran >= 5
