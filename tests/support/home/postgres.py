"""A PostgreSQL for tests, on a socket in a folder: no port, no password, gone afterwards."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import count
from pathlib import Path

STARTING_SECONDS = 60.0
STOPPING_SECONDS = 60.0
_numbers = count()


def postgres_installed() -> bool:
    """Whether the server's programs are there."""
    return _program("initdb") is not None and _program("postgres") is not None


def _program(name: str) -> str | None:
    """Where a program of the server is: on the path, or where Debian keeps its newest version."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda file: int(file.parts[4]))
    return shutil.which(name) or (str(debian[-1]) if debian else None)


@contextmanager
def temporary_postgres() -> Iterator[str]:
    """The SQLAlchemy URL of an empty database, on a server that all tests of this process share."""
    folder, name = _server(), f"test_{next(_numbers)}"
    _run("createdb", folder, name)
    try:
        yield f"postgresql+asyncpg://groundwork@/{name}?host={folder}"
    finally:
        _run("dropdb", folder, "--force", name)


def _run(program: str, folder: Path, *arguments: str) -> None:
    command = [_program(program) or program, "-h", str(folder), "-U", "groundwork", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@cache
def _server() -> Path:
    """The folder of a server's socket; it is started once and ends with this process."""
    ending = ExitStack()
    atexit.register(ending.close)
    return ending.enter_context(_running_server())


@contextmanager
def _running_server() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="gw-pg-"))
    user = "nobody" if os.geteuid() == 0 else None  # the server refuses to run as root
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    initdb, postgres, pg_isready = (_program(name) or name for name in ("initdb", "postgres", "pg_isready"))
    subprocess.run(
        [initdb, "--pgdata", data, "--auth", "trust", "--username", "groundwork", "--no-sync"],
        check=True, capture_output=True, user=user, cwd=folder,
    )  # fmt: skip
    command = [postgres, "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, user=user, cwd=folder)
    try:
        _wait(pg_isready, folder, server)
        yield folder
    finally:
        server.send_signal(signal.SIGINT)  # fast: a smart shutdown would wait for whoever is still connected
        try:
            server.wait(STOPPING_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(folder)


def _wait(pg_isready: str, folder: Path, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTING_SECONDS
    ready = [pg_isready, "-h", folder, "-U", "groundwork", "-d", "postgres", "-t", "1"]
    while subprocess.run(ready, capture_output=True).returncode != 0:
        assert server.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < until, "PostgreSQL did not start"
