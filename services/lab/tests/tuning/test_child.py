"""Processes that are this test's own modules."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from structlog.testing import capture_logs

from lab.tuning.child import LAST_WORDS, run_child
from lab.tuning.errors import TrainerDied, TrainingFailed

LONG = 120.0


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a module that can be run by its name."""

    def write(source: str) -> str:
        (tmp_path / "tiny_trainer.py").write_text(textwrap.dedent(source))
        return "tiny_trainer"

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    return write


async def _heard(module: str, folder: Path, silent: float = LONG) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []

    async def hear(said: dict[str, Any]) -> None:
        heard.append(said)

    await run_child(module, folder, hear, silent)
    return heard


async def test_what_it_says_is_told_and_what_libraries_print_is_not(module: Any, tmp_path: Path) -> None:
    name = module("""
        import json, sys
        print("some library's banner")
        print(json.dumps({"event": "step", "folder": sys.argv[1]}))
    """)
    assert await _heard(name, tmp_path) == [{"event": "step", "folder": str(tmp_path)}]


async def test_a_failure_that_says_why_is_raised(module: Any, tmp_path: Path) -> None:
    name = module("""
        import json, sys
        print(json.dumps({"failed": "loss_not_finite", "message": "Smaller."}), flush=True)
        sys.exit(1)
    """)
    with pytest.raises(TrainingFailed, match="Smaller") as failed:
        await _heard(name, tmp_path)
    assert failed.value.code == "loss_not_finite"


async def test_any_other_end_is_a_death(module: Any, tmp_path: Path) -> None:
    name = module("import os; os.kill(os.getpid(), 9)")
    with pytest.raises(TrainerDied, match="-9"):
        await _heard(name, tmp_path)


async def test_one_that_is_silent_for_too_long_is_killed(module: Any, tmp_path: Path) -> None:
    name = module("import sys; sys.stdin.read()")
    with pytest.raises(TrainerDied):
        await _heard(name, tmp_path, silent=0.5)


async def test_one_that_is_not_wanted_any_more_is_killed(module: Any, tmp_path: Path) -> None:
    name = module("""
        import json, os, sys
        print(json.dumps({"event": "here", "pid": os.getpid()}), flush=True)
        sys.stdin.read()
    """)
    here: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def hear(said: dict[str, Any]) -> None:
        here.set_result(said["pid"])

    running = asyncio.create_task(run_child(name, tmp_path, hear, LONG))
    pid = await here
    running.cancel()
    await asyncio.wait({running})
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


STARTS = """
    import json, subprocess, sys
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    print(json.dumps({"event": "here", "pid": other.pid}), flush=True)
    other.wait()
"""
"""As torchrun does, which is killed with no time to end what it has started."""


@pytest.mark.parametrize("silent", [None, 5.0])
async def test_what_it_has_started_is_ended_with_it(module: Any, tmp_path: Path, silent: float | None) -> None:
    here: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def hear(said: dict[str, Any]) -> None:
        here.set_result(said["pid"])

    running = asyncio.create_task(run_child(module(STARTS), tmp_path, hear, silent or LONG))
    if silent is None:
        await asyncio.wait({running, here}, return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
    done, _ = await asyncio.wait({running}, timeout=LONG)
    assert done == {running}
    if here.done():
        async with asyncio.timeout(LONG):  # killed with it, but each ends when it gets a core
            while _runs(here.result()):  # noqa: ASYNC110  # nobody waits for a process that is not one's own
                await asyncio.sleep(0.05)


def _runs(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


async def test_only_the_end_of_what_it_writes_on_stderr_is_kept_and_logged(module: Any, tmp_path: Path) -> None:
    name = module("""
        import sys
        for _ in range(200):
            sys.stderr.write("x" * 10_000)
        sys.stderr.write("its last words")
        sys.exit(3)
    """)
    folder = tmp_path / "job"
    folder.mkdir()
    with capture_logs() as logged, pytest.raises(TrainerDied, match="3"):
        await _heard(name, folder)
    words = next(one["words"] for one in logged)
    assert (len(words), words[-14:]) == (LAST_WORDS, "its last words")
    assert list(folder.iterdir()) == []


async def test_a_library_s_json_is_not_told(module: Any, tmp_path: Path) -> None:
    name = module("""
        import json
        print(json.dumps({"progress": 1}))
        print(json.dumps({"event": "message", "message": "Hi"}))
    """)
    assert [one["event"] for one in await _heard(name, tmp_path)] == ["message"]
