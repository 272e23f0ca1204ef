from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

from groundwork.stack.supervision import launch


def test_a_process_gets_exactly_the_environment_of_its_file(tmp_path: Path) -> None:
    odd = {"A": """quotes " and ' and \\ and % and\nlines""", "B": ""}
    show = "import os, json; print(json.dumps(dict(os.environ)))"
    file = tmp_path / "program.json"
    file.write_text(json.dumps({"command": [sys.executable, "-I", "-S", "-c", show], "environment": odd}))
    done = subprocess.run([sys.executable, "-I", "-S", launch.__file__, file], capture_output=True, check=True)
    seen = json.loads(done.stdout)
    seen.pop("LC_CTYPE", None)  # Python's own
    assert seen == odd


def test_only_the_socket_that_is_to_be_kept_is_handed_on(tmp_path: Path) -> None:
    """And what a process writes is for its owner only."""
    show = "import os; print(sorted(map(int, os.listdir('/proc/self/fd'))), os.umask(0) == 0o077)"
    kept, other = (fcntl.fcntl(0, fcntl.F_DUPFD, lowest) for lowest in (200, 210))
    try:
        for keep, expected in (({"keep": kept}, [kept]), ({}, [])):
            file = tmp_path / "program.json"
            file.write_text(
                json.dumps({"command": [sys.executable, "-I", "-S", "-c", show], "environment": {}, **keep})
            )
            command = [sys.executable, "-I", "-S", launch.__file__, str(file)]
            done = subprocess.run(command, capture_output=True, check=True, text=True, pass_fds=(kept, other))
            seen, _, is_private = done.stdout.strip().rpartition(" ")
            assert [number for number in json.loads(seen) if number >= 200] == expected
            assert is_private == "True"
    finally:
        os.close(kept)
        os.close(other)
