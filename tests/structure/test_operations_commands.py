"""What health checks and the pages tell people to run, tried on this machine without Docker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
QDRANTS = [("docker-compose.yml", "qdrant"), ("deploy/qdrant/cluster.yml", "qdrant-2")]
BASH = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed here")


@contextmanager
def server(status: int) -> Iterator[tuple[int, list[str]]]:
    """A server on loopback that answers with one status; its port, and what it was asked."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield listening.server_port, asked
        finally:
            listening.shutdown()
            thread.join()


def check(file: str, service: str, port: int) -> int:
    """The exit status of a Qdrant's health check, as Docker would run it."""
    given = yaml.safe_load((ROOT / file).read_text())["services"][service]["healthcheck"]["test"]
    command = ["sh", "-c", given[1]] if given[0] == "CMD-SHELL" else given[1:]
    here = [part.replace("$$", "$").replace("6333", str(port)) for part in command]
    return subprocess.run(here, capture_output=True, timeout=60, check=False).returncode


@BASH
@pytest.mark.parametrize(("file", "service"), QDRANTS)
@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (404, False)])
def test_qdrant_is_healthy_when_it_says_that_it_is_ready(file: str, service: str, status: int, healthy: bool) -> None:
    """A port is open long before shards are loaded."""
    with server(status) as (port, asked):
        assert (check(file, service, port) == 0) is healthy
    assert asked == ["/readyz"]


@BASH
@pytest.mark.parametrize(("file", "service"), QDRANTS)
def test_a_qdrant_that_does_not_listen_is_not_healthy(file: str, service: str) -> None:
    with server(200) as (port, _):
        pass
    assert check(file, service, port) != 0


def test_keys_of_s3_can_be_written_again() -> None:
    """Whoever rotates them runs the same command; the files are readable only, also for who wrote them."""
    page = (ROOT / "docs/operations.md").read_text()
    found = re.search(r"secrets sh -c[\s\\]+\"(.*ingest_s3_\$name)\"", page)
    assert found is not None
    with tempfile.TemporaryDirectory() as folder:
        command = found.group(1).replace("/run/groundwork", folder).replace("$name", "access_key_id")
        as_nobody = {"user": NOBODY} if os.geteuid() == 0 else {}  # root writes where it may not
        if as_nobody:
            os.chown(folder, NOBODY, NOBODY)
        for value in ("old", "new"):
            run = subprocess.run(["sh", "-c", command], input=value, text=True, capture_output=True, **as_nobody)  # type: ignore[call-overload]
            assert run.returncode == 0, run.stderr
        (file,) = Path(folder).iterdir()
        assert file.read_text() == "new"
        assert file.stat().st_mode & 0o777 == 0o440
