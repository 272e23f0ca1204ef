"""The process as the lab starts it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from services.lab.tests.training import tiny

from lab.training.__main__ import _describe

SECONDS = 300


@contextmanager
def trainer(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "lab.training", str(folder)]
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
