from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psutil
import pytest
from cli.tests.installation import has_ended

from groundwork.stack.configuration.environment import RUN_MARK
from groundwork.stack.home.folder import Home
from groundwork.stack.supervision.processes import Memory, end, marked, memory, supervisor_of

WAIT = "import sys; print('on', flush=True); sys.stdin.read()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAIT}"
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Python with a program and arguments, and waits until it runs: just after `exec` the system does not know
    its arguments yet. All are ended afterwards."""
    with ExitStack() as started:

        def one(code: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
            command = [sys.executable, "-I", "-S", "-c", code, *arguments]
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
            started.enter_context(process)
            started.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "on\n"
            return process

        yield one


def ended(process: subprocess.Popen[str]) -> None:
    """Wait for its end, and leave it a zombie."""
    assert process.stdin is not None
    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


@pytest.fixture
def home(home: Home) -> Home:
    home.create()
    return home


@pytest.mark.parametrize(
    "written",
    [None, "", "x", str(os.getpid()), "999999999"],
    ids=["none", "empty", "words", "another", "nobody"],
)
def test_a_pid_that_is_none_or_anothers_is_no_supervisord(home: Home, written: str | None) -> None:
    if written is not None:
        home.supervisor_pid_file.write_text(written)
    assert supervisor_of(home) is None


def test_a_supervisord_is_known_by_the_homes_settings_until_it_ends(home: Home, start: Start) -> None:
    process = start(WAIT, str(home.supervisor_settings))
    home.supervisor_pid_file.write_text(f"{process.pid}\n")
    found = supervisor_of(home)
    assert found is not None
    assert found.pid == process.pid
    ended(process)
    assert supervisor_of(home) is None, "a zombie runs no more"


def test_processes_are_known_by_the_mark_of_their_start(start: Start) -> None:
    run_id = os.urandom(8).hex()
    mine = start(WAIT, **{RUN_MARK: run_id})
    start(WAIT, **{RUN_MARK: f"{run_id}0"})
    start(WAIT)
    assert [process.pid for process in marked(run_id)] == [mine.pid]


def test_who_does_not_end_when_asked_is_killed_and_counted(start: Start) -> None:
    gentle, stubborn = start(WAIT), start(STUBBORN)
    assert end([psutil.Process(gentle.pid)], grace=60) == 0
    assert end([psutil.Process(stubborn.pid)], grace=0) == 1
    assert has_ended(gentle.pid)
    assert has_ended(stubborn.pid)


def test_nobody_ends_itself() -> None:
    assert end([psutil.Process()], grace=0) == 0


def test_who_has_ended_already_is_no_error(start: Start) -> None:
    process = start(WAIT)
    known = psutil.Process(process.pid)
    ended(process)
    assert end([known], grace=0) == 0
    process.wait()
    assert end([known], grace=0) == 0
    assert memory(process.pid) == Memory()


def test_memory_counts_children_too(start: Start) -> None:
    alone = psutil.Process().memory_full_info().rss
    start(WAIT)
    assert memory(os.getpid()).resident > alone
    assert memory(os.getpid()).share > 0
