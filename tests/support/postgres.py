"""A PostgreSQL of its own for a test, on a socket in a folder: no port, no password, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STARTING_SECONDS = 30.0


def postgres_installed() -> bool:
    """Whether the server's programs are on the path."""
    return shutil.which("initdb") is not None and shutil.which("postgres") is not None


@contextmanager
def temporary_postgres() -> Iterator[str]:
    """The SQLAlchemy URL of an empty database."""
    folder = Path(tempfile.mkdtemp(prefix="gw-pg-"))
    user = "nobody" if os.geteuid() == 0 else None  # the server refuses to run as root
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    subprocess.run(
        ["initdb", "--pgdata", data, "--auth", "trust", "--username", "groundwork", "--no-sync"],
        check=True, capture_output=True, user=user, cwd=folder,
    )  # fmt: skip
    command = ["postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, user=user, cwd=folder)
    try:
        _wait(folder, server)
        yield f"postgresql+asyncpg://groundwork@/postgres?host={folder}"
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)


def _wait(folder: Path, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTING_SECONDS
    ready = ["pg_isready", "-h", folder, "-U", "groundwork", "-d", "postgres", "-t", "1"]
    while subprocess.run(ready, capture_output=True).returncode != 0:
        assert server.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < until, "PostgreSQL did not start"
