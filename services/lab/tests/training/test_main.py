"""The process as the lab starts it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from services.lab.tests.training import tiny

from lab.training.__main__ import _describe
from lab.tuning.child import torchrun

SECONDS, EPOCHS = 300, 20


@contextmanager
def trainer(folder: Path, processes: int = 1) -> Iterator[subprocess.Popen[str]]:
    start = torchrun(folder, processes) if processes > 1 else (sys.executable,)
    command = [*start, "-m", "lab.training", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    assert process.stdout is not None
    return [json.loads(line) for line in process.stdout]


def test_a_job_is_done(tmp_path: Path) -> None:
    tiny.write_job(tmp_path / "job", n_epochs=1)
    with trainer(tmp_path / "job") as process:
        told = [line["event"] for line in lines(process)]
        assert [event for event in told if event != "alive"] == ["step", "step", "step", "checkpoint"]
        assert process.wait(SECONDS) == 0
    assert (tmp_path / "job" / "adapter.gguf").read_bytes()[:4] == b"GGUF"


def test_two_processes_learn_together_what_one_learns_alone(tmp_path: Path) -> None:
    """By `torchrun`: the same losses but for the order in which numbers are added, and one of them tells."""
    told = {}
    for name, processes in (("one", 1), ("two", 2)):
        tiny.write_job(tmp_path / name, n_epochs=2, batch_size=8, learning_rate_multiplier=100.0)
        with trainer(tmp_path / name, processes) as process:
            told[name] = [line for line in lines(process) if line["event"] == "step"]
            assert process.wait(SECONDS) == 0
    assert [one["step"] for one in told["two"]] == [one["step"] for one in told["one"]]
    losses = {name: [one["figures"]["train_loss"] for one in steps] for name, steps in told.items()}
    assert losses["two"] == pytest.approx(losses["one"], rel=1e-4)
    assert losses["one"][-1] < losses["one"][0] * 0.9
    one, two = (json.loads((tmp_path / name / "result.json").read_text()) for name in told)
    assert two["after"] == pytest.approx(one["after"], rel=1e-3)
    assert (two["before"], two["tokens"]) == (one["before"], one["tokens"])


def _reached_by_nobody_else(process: subprocess.Popen[str]) -> bool:
    """None of them listens but on loopback; torchrun neither, whose store runs what it is given."""
    started = psutil.Process(process.pid)
    every = [started, *started.children(recursive=True)]
    assert len(every) == 3
    with ExitStack() as stopped:
        for each in every:  # else they may end while they are looked at
            each.suspend()
            stopped.callback(each.resume)
        opened = [one for each in every for one in each.net_connections() if not one.raddr]
    return {one.laddr.ip for one in opened} <= {"127.0.0.1", "::1"}


def test_two_are_reached_by_nobody_else_and_both_end_with_one_and_go_on_from_the_checkpoint(tmp_path: Path) -> None:
    tiny.write_job(tmp_path, n_epochs=EPOCHS, batch_size=1)
    with trainer(tmp_path, 2) as process:
        assert process.stdout is not None
        heard = (json.loads(line)["event"] for line in process.stdout)
        assert "step" in heard
        assert _reached_by_nobody_else(process)
        assert "checkpoint" in heard
        assert "step" in heard, "it goes on once the checkpoint is written"
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(SECONDS) != 0
    with trainer(tmp_path, 2) as process:
        again = [line for line in lines(process) if line["event"] == "step"]
        assert process.wait(SECONDS) == 0
    assert again[0]["step"] > 1
    assert (tmp_path / "adapter.gguf").exists()


def test_a_job_that_can_t_be_done_says_why(tmp_path: Path) -> None:
    job = tiny.write_job(tmp_path / "job")
    (tmp_path / "job" / "job.json").write_text(json.dumps({**job, "most_tokens": 1}))
    with trainer(tmp_path / "job") as process:
        assert [line["failed"] for line in lines(process) if line.get("event") != "alive"] == ["too_many_tokens"]
        assert process.wait(SECONDS) == 1


def test_it_ends_when_the_lab_does(tmp_path: Path) -> None:
    tiny.write_job(tmp_path / "job", n_epochs=50, batch_size=1)
    with trainer(tmp_path / "job") as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(SECONDS) == 1
    assert not (tmp_path / "job" / "result.json").exists()


def test_what_nobody_foresaw_is_told_as_what_it_is(tmp_path: Path) -> None:
    job = tiny.write_job(tmp_path / "job")
    (tmp_path / "job" / "job.json").write_text(json.dumps({**job, "settings": {**job["settings"], "schedule": "odd"}}))
    with trainer(tmp_path / "job") as process:
        told = [line for line in lines(process) if "failed" in line]
        assert process.wait(SECONDS) == 1
    assert [line["failed"] for line in told] == ["training_failed"]
    assert "KeyError: 'odd'" in told[0]["message"]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")])
def test_only_what_is_short_of_memory_says_so(error: Exception) -> None:
    assert _describe(error)[0] == "memory_short"
    assert _describe(ValueError("odd"))[0] == "training_failed"


SHOW = """
import ctypes, os
from lab.training.__main__ import NICE, prepare
before = os.nice(0)
prepare()
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
print(getenv(b"OMP_WAIT_POLICY").decode(), os.nice(0) == min(19, before + NICE))
"""


def test_it_stands_back_and_its_threads_sleep_while_they_wait() -> None:
    done = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, timeout=600)
    assert done.stdout.strip() == "PASSIVE True", done.stderr
