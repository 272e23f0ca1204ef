from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from groundwork.stack.supervision import launch
from groundwork.stack.supervision.preload import FORKS, service_module

pytestmark = pytest.mark.skipif(not FORKS, reason="services are executed where a fork is unsafe")

FORK = """
import os, sys
from groundwork.stack.supervision.preload import become, preload
sys.path.insert(0, sys.argv[1])
for module in ("other", "tiny"):
    preload(module)
pid = os.fork()
if not pid:
    become("tiny", sys.argv[2], {"other"})
print("status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
TINY = """
import os
IMPORTED_BY = os.getpid()
"""
OTHER = """
from prometheus_client import Counter
CALLS = Counter("other_calls_total", "Calls.")
"""


def fork(folder: Path, main: str, **environment: str) -> list[str]:
    """The lines that a service prints that was imported, forked and run; the last is its exit status."""
    for name, code in (("tiny", TINY), ("other", OTHER)):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(code)
    (folder / "other" / "__main__.py").write_text("")
    (folder / "tiny" / "__main__.py").write_text(f"import tiny\nif __name__ == '__main__':\n    {main}")
    file = folder / "tiny.json"
    file.write_text(json.dumps({"environment": environment}))
    command = [sys.executable, "-c", FORK, str(folder), str(file)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()


def test_a_service_is_not_imported_again_and_runs_as_main(tmp_path: Path) -> None:
    main = "import os, sys; print(tiny.IMPORTED_BY == os.getppid(), sys.argv, sys.modules['__main__'].__package__)"
    assert fork(tmp_path, main) == [f"True ['{tmp_path}/tiny/__main__.py'] tiny", "status 0"]


def test_a_service_has_exactly_the_environment_of_its_file(tmp_path: Path) -> None:
    main = "import os; print(dict(os.environ)); os.system('echo $ODD')"
    assert fork(tmp_path, main, ODD="two  words") == ["{'ODD': 'two  words'}", "two words", "status 0"]


@pytest.mark.parametrize(
    ("main", "status"),
    [("raise SystemExit(3)", 3), ("raise SystemExit", 0), ("raise SystemExit('why')", 1), ("raise ValueError", 1)],
)
def test_a_service_ends_with_its_own_status(tmp_path: Path, main: str, status: int) -> None:
    assert fork(tmp_path, main)[-1] == f"status {status}"


def test_a_service_ends_by_a_signal_as_if_it_had_been_executed(tmp_path: Path) -> None:
    main = "import os, signal; os.kill(os.getpid(), signal.SIGTERM); signal.pause()"
    assert fork(tmp_path, main)[-1] == "status -15"


def test_threads_and_exit_functions_of_a_service_end_before_it(tmp_path: Path) -> None:
    main = (
        "import atexit, threading; atexit.register(print, 'exit'); "
        "threading.Timer(0.01, print, args=('thread',)).start()"
    )
    assert fork(tmp_path, main) == ["thread", "exit", "status 0"]


def test_a_service_shows_no_metrics_of_another(tmp_path: Path) -> None:
    main = "from prometheus_client import generate_latest; print(b'other_calls' in generate_latest())"
    assert fork(tmp_path, main) == ["False", "status 0"]


def test_two_forks_draw_different_random_numbers_and_keys(tmp_path: Path) -> None:
    main = "import multiprocessing as m, random; print(random.random(), m.current_process().authkey.hex())"
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
    seen = [fork(folder, main)[0].split() for folder in (first, second)]
    assert seen[0][0] != seen[1][0]
    assert seen[0][1] != seen[1][1]


def test_only_a_service_is_forked() -> None:
    launched = [sys.executable, "-I", "-S", launch.__file__, "/home/run/programs/gateway.json"]
    assert service_module([*launched, "gateway"]) == "gateway"
    assert service_module(launched) is None
    assert service_module(["/usr/bin/valkey-server", "valkey.conf"]) is None
