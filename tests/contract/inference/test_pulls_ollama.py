"""Models that an Ollama server is had to fetch, by the running service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.support.inference.administered import Admin, administered
from tests.support.inference.running import serving

from servicekit.jobs.outcomes import RetryPolicy

PASSING = {"error": "max retries exceeded: EOF"}


class FakeOllama:
    """Speaks the part of Ollama's dialect that pulls and chats; `lines` are what it says of a pull."""

    def __init__(self) -> None:
        self.url = ""
        half = {"status": "pulling aa", "digest": "sha256:aa", "total": 2_000_000, "completed": 1_000_000}
        self.lines: list[dict[str, Any]] = [
            {"status": "pulling manifest"},
            half,
            half | {"completed": 2_000_000},
            {"status": "verifying sha256 digest"},
            {"status": "success"},
        ]
        self.pulled: list[Any] = []
        self.statuses: list[int] = []
        """Of the next pulls, in place of what it says of them."""
        self.breaks = 0
        """How many pulls end in a passing error."""
        self.looked_at, self.go = asyncio.Event(), asyncio.Event()
        """Whether it was asked for its models, and when it may answer."""
        self.go.set()
        self.app = Starlette(
            routes=[
                Route("/api/version", self._version),
                Route("/api/pull", self._pull, methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
            ]
        )

    async def _pull(self, request: Request) -> Response:
        self.pulled.append(await request.json())
        if self.statuses:
            return Response("an error", self.statuses.pop(0))
        if len(self.pulled) <= self.breaks:
            return StreamingResponse(self._said(self.lines[:2], PASSING), media_type="application/x-ndjson")
        return StreamingResponse(self._said(self.lines), media_type="application/x-ndjson")

    async def _said(self, lines: list[dict[str, Any]], *more: dict[str, Any]) -> AsyncIterator[bytes]:
        for line in (*lines, *more):
            yield json.dumps(line).encode() + b"\n"

    async def _version(self, _: Request) -> Response:
        return JSONResponse({"version": "0.9.0"})

    async def _models(self, _: Request) -> Response:
        self.looked_at.set()
        await self.go.wait()
        return JSONResponse({"object": "list", "data": []})

    async def _chat(self, request: Request) -> Response:
        said = {"role": "assistant", "content": f"I am {(await request.json())['model']}."}
        return JSONResponse(
            {
                "id": "c",
                "object": "chat.completion",
                "created": 1,
                "model": "m",
                "choices": [{"index": 0, "message": said, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        )


@pytest.fixture
async def ollama() -> AsyncIterator[FakeOllama]:
    server = FakeOllama()
    async with serving(server.app) as server.url:
        yield server


@asynccontextmanager
async def beside(
    ollama: FakeOllama, folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> AsyncIterator[Admin]:
    allowed = {"added_hosts": ollama.url.removeprefix("http://"), **settings}
    async with administered(folder, "http://127.0.0.1:9", monkeypatch, **allowed) as admin:
        yield admin


async def test_an_ollama_server_fetches_a_model_that_then_answers(
    tmp_path: Path, ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with beside(ollama, tmp_path, monkeypatch) as admin:
        done = await admin.ended(
            await admin.pull({"model": "qwen", "source": {"ollama": "qwen2.5:0.5b", "base_url": ollama.url}})
        )
        assert (done["status"], done["bytes_done"], done["bytes_total"]) == ("ready", 2_000_000, 2_000_000)
        assert ollama.pulled == [{"model": "qwen2.5:0.5b", "stream": True}]
        body = {"model": "qwen", "messages": [{"role": "user", "content": "Who are you?"}]}
        async with admin.service.post("/v1/chat/completions", body) as answer:
            said = await answer.json()
        assert said["choices"][0]["message"]["content"] == "I am qwen2.5:0.5b."


@pytest.mark.parametrize(
    ("line", "settings", "code", "says"),
    [
        ({"error": "pull model manifest: file does not exist"}, {}, "ollama_refused", "manifest: file does not"),
        ({"status": "pulling aa", "digest": "aa", "total": 10**12}, {"pull_bytes": 10**9}, "pull_too_large", "GB"),
    ],
)
async def test_what_ollama_can_not_or_may_not_fetch_is_the_jobs_error(
    tmp_path: Path,
    ollama: FakeOllama,
    monkeypatch: pytest.MonkeyPatch,
    line: dict[str, Any],
    settings: dict[str, Any],
    code: str,
    says: str,
) -> None:
    ollama.lines[1:] = [line]
    async with beside(ollama, tmp_path, monkeypatch, **settings) as admin:
        failed = await admin.ended(
            await admin.pull({"model": "qwen", "source": {"ollama": "none", "base_url": ollama.url}})
        )
        assert (failed["status"], failed["error"]["code"]) == ("failed", code)
        assert says in failed["error"]["message"]
        assert (await admin.call("GET", "qwen"))[0] == 404


async def test_an_ollama_that_is_not_there_is_said_at_once(
    tmp_path: Path, ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with beside(ollama, tmp_path, monkeypatch, added_hosts="127.0.0.1:9") as admin:
        asked = {"model": "qwen", "source": {"ollama": "q", "base_url": "http://127.0.0.1:9"}}
        assert (await admin.refused(asked))[:2] == (503, "ollama_unreachable")
        assert (await admin.call("GET", "pull"))[1]["data"] == []


async def test_an_ollama_that_breaks_off_is_asked_again(
    tmp_path: Path, ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, ollama.lines = ollama.lines, ollama.lines[:2]
    async with beside(ollama, tmp_path, monkeypatch) as admin:
        job = await admin.pull({"model": "qwen", "source": {"ollama": "q", "base_url": ollama.url}})
        waiting = await admin.until(job["id"], lambda found: found["waiting_on"] is not None)
        assert waiting["waiting_on"] == "ollama"
        ollama.lines = whole
        assert (await admin.ended(job))["status"] == "ready"
        assert len(ollama.pulled) >= 2


async def test_a_cancel_that_comes_when_the_model_is_declared_already_is_refused(
    tmp_path: Path, ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with beside(ollama, tmp_path, monkeypatch) as admin:
        ollama.go.clear()
        job = await admin.pull({"model": "qwen", "source": {"ollama": "q", "base_url": ollama.url}})
        await ollama.looked_at.wait()
        status, refused = await admin.call("DELETE", f"pull/{job['id']}")
        assert (status, refused["error"]["code"]) == (409, "pull_finished")
        assert "declaring its model already" in refused["error"]["message"]
        ollama.go.set()
        assert (await admin.ended(job))["status"] == "ready"
        assert (await admin.call("GET", "qwen"))[0] == 200


@pytest.mark.parametrize("failing", ["502", "500", "inline"])
async def test_an_error_of_ollamas_that_passes_is_no_end(
    tmp_path: Path, ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    if failing == "inline":
        ollama.breaks = 1
    else:
        ollama.statuses = [int(failing)]
    async with beside(ollama, tmp_path, monkeypatch) as admin:
        done = await admin.ended(await admin.pull({"model": "qwen", "source": {"ollama": "q", "base_url": ollama.url}}))
        assert (done["status"], len(ollama.pulled)) == ("ready", 2)


async def test_what_ollama_said_last_is_the_reason_once_it_was_tried_in_vain(
    tmp_path: Path, ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    ollama.breaks = 99
    monkeypatch.setattr("inference.pulls.jobs.PullJobs.retry", RetryPolicy(max_attempts=2, max_wait=1800))
    async with beside(ollama, tmp_path, monkeypatch) as admin:
        job = await admin.pull({"model": "qwen", "source": {"ollama": "q", "base_url": ollama.url}})
        failed = await admin.ended(job)
        assert (failed["status"], failed["error"]["code"]) == ("failed", "ollama_failed")
        assert failed["error"]["retryable"]
        assert "max retries exceeded" in failed["error"]["message"]


async def test_the_address_that_openai_clients_are_given_is_taken_and_no_other(
    tmp_path: Path, ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with beside(ollama, tmp_path, monkeypatch) as admin:
        job = await admin.pull({"model": "qwen", "source": {"ollama": "q", "base_url": f"{ollama.url}/v1/"}})
        assert (await admin.ended(job))["status"] == "ready"
        asked = {"model": "other", "source": {"ollama": "q", "base_url": f"{ollama.url}/else"}}
        status, code, message = await admin.refused(asked)
        assert (status, code) == (400, "source_not_found")
        assert "/else/api/version answers with 404" in message
