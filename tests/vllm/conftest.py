"""A real vLLM on loopback that serves the packaged chat model, started as deployments start it.

GROUNDWORK_VLLM_URL names one that runs already instead (`http://host:8000`), with the arguments of `model_entry`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml
from tests.support.inference.packaged import packaged_gguf

from inference.catalog.gguf_header import read_header
from inference.catalog.gguf_tokenizer import tokenizer_json

ROOT = Path(__file__).resolve().parents[2]
VLLM = Path(os.environ.get("GROUNDWORK_VLLM", ROOT / ".vllm"))
SERVE = ROOT / "deploy" / "vllm" / "serve.py"
START_SECONDS = 900.0
"""Importing and compiling take minutes on two cores that others use too."""
FIRST_ANSWER_SECONDS = 300.0
STOP_SECONDS = 60.0
CONTEXT = 1024
MODEL = VLLM / "smollm2"
"""vLLM wants a folder, which transformers makes of the GGUF file once: a minute."""


@dataclass(frozen=True)
class Vllm:
    """A running vLLM and what the models file says of it."""

    url: str
    declared: dict[str, Any]
    restart: Callable[[], Awaitable[None]] | None = None
    """None of one that was running already."""

    async def start_anew(self, adapter: str) -> None:
        """One that was running already can't be: it has the adapter unloaded, of which it then knows no more."""
        await (self.unload(adapter) if self.restart is None else self.restart())

    async def unload(self, adapter: str) -> None:
        """Behind inference's back."""
        path = f"{self.url}/v1/unload_lora_adapter"
        async with aiohttp.ClientSession() as session, session.post(path, json={"lora_name": adapter}) as answer:
            assert answer.status == 200, await answer.text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def model_entry(url: str) -> dict[str, Any]:
    """Numbers are computed in float32: in bfloat16 the likeliest of two near tokens changes with the batch."""
    arguments = ["--dtype", "float32", "--enforce-eager", "--max-num-seqs", "4", "--chat-template"]
    return {
        "name": "smollm2-on-vllm",
        "kind": "chat",
        "engine": "openai",
        "context_length": CONTEXT,
        "tokenizer": str(MODEL / "tokenizer.json"),
        "default": True,
        "tool_protocol": "constrained",
        "source": {"base_url": f"{url}/v1", "upstream_model": "smollm2", "metrics_url": f"{url}/metrics"},
        "queue": {"at_once": 3, "waiting": 2},
        "vllm": {
            "model": str(MODEL),
            "tool_parser": "hermes",
            "lora": {"weights": {"path": str(packaged_gguf())}, "rank": 8, "at_once": 2},
            "arguments": [*arguments, str(Path(__file__).with_name("chat_template.jinja"))],
        },
    }


def environment(port: int) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("VLLM_")},
        "VLLM_HOST": "127.0.0.1",
        "VLLM_PORT": str(port),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_EXECUTOR": "uni",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }


def _make_folder() -> None:
    """Weights as the lab reads them; the tokenizer by ours, since transformers' does not split digits as the model was
    trained."""
    if (MODEL / "tokenizer.json").is_file():
        return
    import torch
    from transformers import AutoTokenizer

    from lab.training.header import read_header as lab_header
    from lab.training.weights import load_model

    file = packaged_gguf()
    load_model(file, lab_header(file)).to(torch.bfloat16).save_pretrained(MODEL)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(MODEL)
    (MODEL / "tokenizer.json").write_bytes(tokenizer_json(read_header(file)) or b"")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def vllm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Vllm]:
    _make_folder()
    given = os.environ.get("GROUNDWORK_VLLM_URL")
    if given:
        yield Vllm(given, model_entry(given))
        return
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("vllm") / "vllm.log"
    running: list[subprocess.Popen[bytes]] = []

    async def restart() -> None:
        for one in running:
            await asyncio.to_thread(_stop, one)
        running[:] = [_start(port, model_entry(url), log)]
        await _until_it_answers(running[0], url, lambda: f"its log ends with\n{log.read_text()[-4000:]}")

    try:
        await restart()
        yield Vllm(url, model_entry(url), restart)
    finally:
        for one in running:
            _stop(one)


def _start(port: int, entry: dict[str, Any], log: Path) -> subprocess.Popen[bytes]:
    python = VLLM / "bin" / "python"
    assert python.exists(), f"vLLM is not installed in {VLLM}; run `make test-vllm`"
    file = log.with_name("models.yaml")
    file.write_text(yaml.safe_dump({"models": [entry]}))
    command = [python, SERVE, entry["name"], "--models", file]
    with log.open("wb") as output:
        return subprocess.Popen(command, env=environment(port), stdout=output, stderr=output, start_new_session=True)


async def _until_it_answers(running: subprocess.Popen[bytes], url: str, said: Callable[[], str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=FIRST_ANSWER_SECONDS)) as session:
        while not await _is_up(session, url):
            assert running.poll() is None, f"vLLM ended; {said()}"
            assert time.monotonic() < deadline, f"vLLM did not start in {START_SECONDS:.0f} s; {said()}"
            await asyncio.sleep(1)
        asked = {"model": "smollm2", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}
        async with session.post(f"{url}/v1/chat/completions", json=asked) as answer:  # compiles what is left
            assert answer.status == 200, await answer.text()


async def _is_up(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/health") as answer:
            return bool(answer.status == 200)
    except aiohttp.ClientError:
        return False


def _stop(running: subprocess.Popen[bytes]) -> None:
    """It has children of its own: end the whole group that was started here."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(running.pid, sign)
        except ProcessLookupError:
            return
        try:
            running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
