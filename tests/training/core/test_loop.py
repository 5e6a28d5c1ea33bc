"""The loop of all trainers: the same as a plain loop, resumed to the bit, never without a checkpoint."""

from __future__ import annotations

import copy
import csv
import math
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from face_part_fusion.training.core.options import Options, accelerator_for
from face_part_fusion.training.core.record import one_sentence, rows_of
from face_part_fusion.training.core.state import TrainingStopped, facts_of, read_state
from PIL import Image
from support.paths import ROOT
from support.tiny_training import Numbers, TinySettings, run_tiny, share, tiny_loss, tiny_net, tiny_plan

pytest.importorskip("accelerate", reason="pip install '.[test]'")
PROGRAM = Path(__file__).resolve().parents[2] / "support" / "tiny_training.py"


def program(folder: Path, what: str, number: int, **more: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROGRAM), str(ROOT), str(folder), what, str(number)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=os.environ | more, **pipes)


def losses(file: Path) -> list[tuple[str, str, str]]:
    with file.open(newline="") as rows:
        return [(row["step"], row["loss"], row["rate"]) for row in csv.DictReader(rows)]


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_the_loop_is_a_plain_one_to_the_bit(tmp_path: Path):
    settings = TinySettings(steps=12)
    net, numbers = tiny_net(0), Numbers(8, 0)
    mean = tiny_net(0)
    optimizer = torch.optim.AdamW(net.parameters(), settings.rate)
    expected = []
    for step in range(settings.steps):
        optimizer.param_groups[0]["lr"] = settings.rate * (1 - step / settings.steps)
        loss = tiny_loss(net, numbers(step))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            for old, new in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
                if old.is_floating_point():
                    old.lerp_(new, 1 - min(0.9, (step + 1) / (step + 10)))
                else:
                    old.copy_(new)
        expected.append(float(loss.detach()))
    plan = run_tiny(tmp_path / "state.pt", tiny_plan(settings))
    assert [float(loss) for _, loss, _ in losses(tmp_path / "state.csv")] == expected
    assert same(plan.parts["net"].net, net) and same(plan.parts["net"].mean.net, mean)


@pytest.mark.parametrize("stop", [1, 3, 20])
def test_a_run_that_left_off_ends_as_one_that_did_not(tmp_path: Path, stop: int):
    whole = run_tiny(tmp_path / "whole.pt", tiny_plan(TinySettings()))
    run_tiny(tmp_path / "cut.pt", tiny_plan(TinySettings()), stop=stop)
    again = run_tiny(tmp_path / "cut.pt", tiny_plan(TinySettings()))
    assert losses(tmp_path / "whole.csv") == losses(tmp_path / "cut.csv") and len(losses(tmp_path / "cut.csv")) == 40
    assert same(whole.parts["net"].net, again.parts["net"].net)
    assert same(whole.parts["net"].mean.net, again.parts["net"].mean.net)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "cut-40.safetensors", "cut.csv", "cut.pt", "whole-40.safetensors", "whole.csv", "whole.pt",
    ]  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
@pytest.mark.parametrize("number", [3, pytest.param(20, marks=pytest.mark.soak)])
def test_a_run_killed_at_random_moments_ends_with_the_losses_of_one_that_was_not(tmp_path: Path, number: int):
    run = program(tmp_path, "lives", number)
    said, problems = run.communicate(timeout=600)
    assert said.split() == ["killed", str(number), "whole", "0"], problems
    for folder in (tmp_path / "killed", tmp_path / "whole"):
        files = {file.name for file in folder.iterdir() if file.suffix != ".part"}
        assert files == {"state.pt", "state.csv", "state-150.safetensors"}
    killed, whole = (losses(tmp_path / name / "state.csv") for name in ("killed", "whole"))
    assert killed == whole and len(whole) == 150
    weights = ((tmp_path / name / "state-150.safetensors").read_bytes() for name in ("killed", "whole"))
    assert next(weights) == next(weights)


def test_rows_after_the_checkpoint_and_half_rows_are_written_anew(tmp_path: Path):
    run_tiny(tmp_path / "state.pt", tiny_plan(TinySettings()), stop=6)
    before = losses(tmp_path / "state.csv")
    with (tmp_path / "state.csv").open("a") as file:
        file.write("7,0.1,0.01,0.5\r\n8,0.1")
    run_tiny(tmp_path / "state.pt", tiny_plan(TinySettings()), stop=9)
    after = losses(tmp_path / "state.csv")
    assert after[:6] == before and [step for step, _, _ in after] == [str(i) for i in range(1, 10)]
    assert after[6][1] != "0.5" and list(rows_of(tmp_path / "state.csv", 2))[-1]["step"] == "2"


def test_a_checkpoint_says_how_it_came_about(tmp_path: Path):
    run_tiny(tmp_path / "state.pt", tiny_plan(TinySettings(), facts={"shards": ["a.tar"]}), stop=3, accumulate=2)
    facts = facts_of(tmp_path / "state-3.safetensors")
    assert facts["settings"] == {"steps": 40, "batch": 8, "rate": 0.01, "seed": 0} and facts["step"] == 3
    assert facts["facts"] == {"shards": ["a.tar"]} and facts["options"]["accumulate"] == 2
    assert facts["versions"]["torch"] == torch.__version__ and "accelerate" in facts["versions"]
    assert read_state(tmp_path / "state.pt", "tiny net")["step"] == 3


def test_gradients_of_several_batches_are_one_step_of_their_mean(tmp_path: Path):
    def plan(batch: int):
        made = tiny_plan(TinySettings(steps=4, batch=batch))
        for each in (made.parts["net"].net, made.parts["net"].mean.net):
            each[1], each[3] = torch.nn.Identity(), torch.nn.Identity()
        return made

    def exact(nets, rows):
        yield "net", {"loss": (nets["net"](rows) - rows).square().mean()}

    one, two = (copy.copy(plan(batch)) for batch in (16, 8))
    for each in (one, two):
        object.__setattr__(each, "losses", exact)
    run_tiny(tmp_path / "one.pt", one)
    run_tiny(tmp_path / "two.pt", two, accumulate=2)
    pairs = zip(losses(tmp_path / "one.csv"), losses(tmp_path / "two.csv"), strict=True)
    assert all(math.isclose(float(a[1]), float(b[1]), rel_tol=1e-5) for a, b in pairs)


def test_a_loss_that_is_not_a_number_ends_with_a_sentence_and_the_checkpoint_before_it(tmp_path: Path):
    numbers = Numbers(8, 0)
    plan = tiny_plan(TinySettings(), batch=lambda i: numbers(i) * (math.nan if i == 8 else 1),
                     streams={"numbers": numbers})  # fmt: skip
    with pytest.raises(TrainingStopped, match=r"step 9 of 40: loss is nan.*last checkpoint.*lower learning rate"):
        run_tiny(tmp_path / "state.pt", plan)
    assert read_state(tmp_path / "state.pt", "tiny net")["step"] == 6
    again = run_tiny(tmp_path / "state.pt", tiny_plan(TinySettings()))
    whole = run_tiny(tmp_path / "whole.pt", tiny_plan(TinySettings()))
    assert same(again.parts["net"].net, whole.parts["net"].net)


def test_gradients_that_are_not_finite_never_reach_the_weights(tmp_path: Path):
    def infinite(nets, rows):
        # The root has no gradient at 0.
        yield "net", {"loss": (nets["net"](rows).sum() * 0).sqrt()}

    with pytest.raises(TrainingStopped, match="step 1 of 40: the norm of net's gradients is nan"):
        run_tiny(tmp_path / "state.pt", plan := tiny_plan(TinySettings(), losses=infinite))
    assert same(plan.parts["net"].net[0], tiny_net(0)[0])
    assert read_state(tmp_path / "state.pt", "tiny net")["step"] == 0


def test_data_that_are_damaged_end_with_a_sentence_and_go_on_once_repaired(tmp_path: Path):
    def damaged(number: int) -> torch.Tensor:
        rows = numbers(number)
        if number == 7:
            raise ValueError("b.tar is damaged")
        return rows

    numbers = Numbers(8, 0)
    plan = tiny_plan(TinySettings(), batch=damaged, streams={"numbers": numbers})
    with pytest.raises(TrainingStopped, match=r"step 8 of 40 cannot read its data: b.tar is damaged.*run the same"):
        run_tiny(tmp_path / "state.pt", plan)
    assert read_state(tmp_path / "state.pt", "tiny net")["step"] == 7
    run_tiny(tmp_path / "state.pt", tiny_plan(TinySettings()))
    run_tiny(tmp_path / "whole.pt", tiny_plan(TinySettings()))
    assert losses(tmp_path / "state.csv") == losses(tmp_path / "whole.csv")


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of file sizes")
def test_a_full_disk_ends_with_a_sentence_and_the_checkpoint_before_it(tmp_path: Path):
    import resource

    run_tiny(tmp_path / "state.pt", tiny_plan(TinySettings()), stop=3)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # Python ignores the signal, so that writing fails as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, before[1]))
        with pytest.raises(SystemExit) as ended, one_sentence():
            run_tiny(tmp_path / "state.pt", tiny_plan(TinySettings()))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert re.match(
        "error: the checkpoint of step 6 cannot be written to .*; the checkpoint before it is kept in .*Make room for",
        str(ended.value.code),
    )
    assert sorted(file.name for file in tmp_path.iterdir()) == ["state-3.safetensors", "state.csv", "state.pt"]
    again = run_tiny(tmp_path / "state.pt", tiny_plan(TinySettings()))
    whole = run_tiny(tmp_path / "whole.pt", tiny_plan(TinySettings()))
    assert same(again.parts["net"].net, whole.parts["net"].net)


def test_other_files_and_other_networks_are_refused(tmp_path: Path):
    state = tmp_path / "state.pt"
    state.write_bytes(b"no state")
    with pytest.raises(ValueError, match="cannot be read as the state of a training"):
        run_tiny(state, tiny_plan(TinySettings()))
    torch.save({"net": {}}, state)
    with pytest.raises(ValueError, match="is not the state of a tiny net's training"):
        run_tiny(state, tiny_plan(TinySettings()))
    state.unlink()
    run_tiny(state, tiny_plan(TinySettings()), stop=3)
    with pytest.raises(ValueError, match="belongs to a run with another tiny net; name another folder"):
        run_tiny(state, tiny_plan(TinySettings(), width=8))
    (tmp_path / "state-3.safetensors").write_bytes(b"cut")
    with pytest.raises(ValueError, match="state-3.safetensors beside .* is missing or damaged"):
        run_tiny(state, tiny_plan(TinySettings()))


def test_half_precision_computes_in_it_and_keeps_weights_whole(tmp_path: Path):
    seen = []

    def watched(nets, rows):
        made = nets["net"](rows)
        seen.append(nets["net"][0](rows).dtype)
        yield "net", {"loss": (made - rows).square().mean()}

    plan = run_tiny(tmp_path / "state.pt", tiny_plan(TinySettings(steps=3), losses=watched), precision="bf16")
    assert seen == [torch.bfloat16] * 3 and plan.parts["net"].net[0].weight.dtype == torch.float32


def test_a_sheet_is_drawn_every_so_many_steps_and_changes_no_loss(tmp_path: Path):
    def sheet() -> torch.Tensor:
        return torch.rand(8, 12, 3)

    run_tiny(tmp_path / "with.pt", tiny_plan(TinySettings(), sheet=sheet), sheet_every=15)
    run_tiny(tmp_path / "without.pt", tiny_plan(TinySettings()))
    assert losses(tmp_path / "with.csv") == losses(tmp_path / "without.csv")
    sheets = sorted((tmp_path / "with_sheets").iterdir())
    assert [file.name for file in sheets] == ["0000015.png", "0000030.png"]
    assert Image.open(sheets[0]).size == (12, 8)


def test_lines_have_the_means_since_the_line_before(tmp_path: Path):
    lines: list[str] = []
    run_tiny(tmp_path / "state.pt", tiny_plan(TinySettings(), title="tiny", unit=("epoch", 10)), log=lines.append)
    assert [line.split(",")[0] for line in lines] == [f"tiny: epoch {i} of 4" for i in (1, 2, 3, 4)]
    mean = sum(float(loss) for _, loss, _ in losses(tmp_path / "state.csv")[10:20]) / 10
    assert lines[1].endswith(f"loss {mean:.4f}")


def test_events_are_written_where_tensorboard_is_installed(tmp_path: Path):
    pytest.importorskip("tensorboard", reason="pip install tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run_tiny(tmp_path / "state.pt", tiny_plan(TinySettings()), stop=5, tensorboard=True)
    run_tiny(tmp_path / "state.pt", tiny_plan(TinySettings()), tensorboard=True)
    events = EventAccumulator(str(tmp_path / "state_tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == list(range(1, 41))


@pytest.mark.parametrize(("options", "message"), [
    ({"precision": "half"}, "precision is 'half'; choose one of no, bf16, fp16"),
    ({"accumulate": 0}, "accumulate is 0; a step needs at least 1 batch"),
    ({"device": "gpu"}, "device is 'gpu'; choose cpu, cuda or auto"),
    ({"precision": "fp16"}, "fp16, which needs a graphics card"),
])  # fmt: skip
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        accelerator_for(Options(**options))


def test_networks_without_checkpoints_of_gradients_are_named(tmp_path: Path):
    with pytest.raises(ValueError, match="checkpoint_gradients: a tiny net cannot"):
        run_tiny(tmp_path / "state.pt", tiny_plan(TinySettings()), checkpoint_gradients=True)


def test_the_absent_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs the Python package accelerate.*face-part-fusion\[training\]"):
        accelerator_for(Options())


def test_two_processes_have_the_losses_of_one_with_the_double_batch(tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # What accelerate launch, and torchrun, give to each process.
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    runs = [program(tmp_path, "share", 16, RANK=str(i), LOCAL_RANK=str(i), **group) for i in range(2)]
    threads = torch.get_num_threads()
    try:
        share(tmp_path, 16)
    finally:
        torch.set_num_threads(threads)
    for run in runs:
        _, problems = run.communicate(timeout=300)
        assert run.returncode == 0, problems
    one, two = (losses(tmp_path / f"of_{count}.csv") for count in (1, 2))
    assert len(one) == len(two) == 20 and one[0][1] != one[-1][1]
    assert all(abs(float(a[1]) - float(b[1])) <= 1e-5 for a, b in zip(one, two, strict=True))
    states = [read_state(tmp_path / f"of_{count}.pt", "tiny net") for count in (1, 2)]
    assert [len(state["places"]) for state in states] == [1, 2]
