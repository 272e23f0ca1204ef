"""Models that an administrator has fetched, from a hub and an Ollama server on loopback, by the running service."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.support.inference.hub import COMMIT, PIECE, FakeHub
from tests.support.inference.running import Inference, running_inference, serving

from contracts.access.delegation import INSTALLATION_TENANT, Delegation
from inference.settings import InferenceSettings
from servicekit.auth.delegation import DelegationSigner, generate_key_pair

GGUF = b"GGUF" + bytes(range(256)) * 16384
SHA = hashlib.sha256(GGUF).hexdigest()
FILES = {
    "m.gguf": GGUF,
    "config.json": b"{}",
    "model.safetensors": b"weights" * 9,
    "pytorch_model.bin": b"a program",
    "q4/m-00001-of-00002.gguf": GGUF[:90_000],
    "q4/m-00002-of-00002.gguf": GGUF[90_000:],
}
FILE: dict[str, Any] = {"model": "far", "source": {"huggingface": "org/tiny", "file": "m.gguf"}}
DEADLINE = 120


class Admin:
    """The gateway, for an administrator."""

    def __init__(self, service: Inference, token: str, folder: Path) -> None:
        self.service, self.folder = service, folder
        self._headers = {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        url = f"{self.service.url}/v1/models/{path}"
        async with self.service.session.request(method, url, json=body, headers=self._headers) as answer:
            return answer.status, await answer.json()

    async def pull(self, body: Any) -> Any:
        status, job = await self.call("POST", "pull", body)
        assert status == 202, job
        return job

    async def refused(self, body: Any) -> tuple[int, str, str]:
        status, answer = await self.call("POST", "pull", body)
        assert "error" in answer, answer
        return status, answer["error"]["code"], answer["error"]["message"]

    async def until(self, job: str, condition: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(DEADLINE):
            while not condition(found := (await self.call("GET", f"pull/{job}"))[1]):  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # it has no event
        return found

    async def ended(self, job: Any) -> Any:
        return await self.until(job["id"], lambda found: found["status"] in ("ready", "failed", "cancelled"))

    def halves(self) -> list[Path]:
        return list(self.folder.rglob("*.incomplete"))


@asynccontextmanager
async def administered(
    folder: Path, hub: str, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> AsyncIterator[Admin]:
    private, public = generate_key_pair()
    monkeypatch.setattr("tests.support.inference.running.generate_key_pair", lambda: (private, public))
    claims = Delegation(
        audiences=("inference",), tenant=INSTALLATION_TENANT, key_id="gateway", scopes=("admin", "chat"), request_id="r"
    )
    token = DelegationSigner(private).sign(claims, timedelta(hours=1))
    chosen = {"models_dir": folder / "models", "hub_url": hub, "data_dir": folder / "data", **settings}
    async with running_inference(folder, **chosen) as service:
        yield Admin(service, token, folder / "models")


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    hub = FakeHub(FILES)
    async with serving(hub.app) as hub.url:
        yield hub
        hub.go.set()


@pytest.fixture
async def admin(tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Admin]:
    async with administered(tmp_path, hub.url, monkeypatch) as admin:
        yield admin


async def test_a_file_is_fetched_pinned_and_declared(admin: Admin, hub: FakeHub) -> None:
    job = await admin.pull(FILE)
    assert (job["object"], job["model"], job["bytes_total"]) == ("model.pull", "far", len(GGUF))
    done = await admin.ended(job)
    assert (done["status"], done["bytes_done"], done["error"]) == ("ready", len(GGUF), None)
    assert done["source"] == {"huggingface": "org/tiny", "revision": COMMIT, "file": "m.gguf", "sha256": SHA}
    assert hub.given == ["m.gguf"]
    assert (admin.folder / f"hub/models--org--tiny/snapshots/{COMMIT}/m.gguf").read_bytes() == GGUF
    _, model = await admin.call("GET", "far")
    assert (model["state"], model["added"]) == ("failed", True)  # it was found, and is no model
    assert "is not on this machine" not in model["reason"]
    assert (await admin.call("GET", "pull"))[1]["data"][0]["id"] == job["id"]


async def test_a_file_in_parts_comes_whole(admin: Admin, hub: FakeHub) -> None:
    body = {"model": "far", "source": FILE["source"] | {"file": "q4/m-00001-of-00002.gguf"}}
    assert (await admin.ended(await admin.pull(body)))["status"] == "ready"
    assert hub.given == ["q4/m-00001-of-00002.gguf", "q4/m-00002-of-00002.gguf"]


async def test_a_folder_comes_without_programs(admin: Admin, hub: FakeHub) -> None:
    sizes = {"max_input_tokens": 64, "dimensions": 8}
    done = await admin.ended(await admin.pull({"model": "far", "source": {"huggingface": "org/tiny"}, **sizes}))
    assert done["status"] == "ready"
    assert sorted(hub.given) == ["config.json", "model.safetensors"]
    assert (await admin.call("GET", "far"))[1]["kind"] == "embedding"


@pytest.mark.parametrize("knows_ranges", [True, False])
async def test_a_connection_that_breaks_off_is_gone_on_with(admin: Admin, hub: FakeHub, knows_ranges: bool) -> None:
    hub.breaks_after, hub.knows_ranges = 40 * PIECE, knows_ranges
    done = await admin.ended(await admin.pull(FILE))
    assert (done["status"], done["bytes_done"]) == ("ready", len(GGUF))
    starts = [start for _, start in hub.asked]
    assert len(starts) == 2
    assert (0 < starts[1] <= 40 * PIECE) == knows_ranges


async def test_a_pull_is_one_job_however_often_it_is_asked_for_and_can_be_cancelled(admin: Admin, hub: FakeHub) -> None:
    hub.holds_after = 2 * PIECE
    job = await admin.pull(FILE)
    await hub.held.wait()
    assert (await admin.pull(FILE))["id"] == job["id"]
    assert (await admin.refused(FILE | {"source": {"huggingface": "org/tiny"}}))[:2] == (409, "pull_running")
    waiting = await admin.pull(FILE | {"model": "next"})
    assert (await admin.call("DELETE", f"pull/{waiting['id']}"))[1]["status"] == "cancelled"
    await admin.until(job["id"], lambda found: found["status"] == "running")
    assert admin.halves()
    assert (await admin.call("DELETE", f"pull/{job['id']}"))[0] == 202
    assert (await admin.ended(job))["status"] == "cancelled"
    assert admin.halves() == []
    assert (await admin.call("GET", "far"))[0] == 404
    assert (await admin.call("DELETE", f"pull/{job['id']}"))[1]["error"]["code"] == "pull_finished"
    assert (await admin.call("GET", "pull/none"))[1]["error"]["code"] == "pull_not_found"


async def test_bytes_with_another_digest_are_deleted(admin: Admin, hub: FakeHub) -> None:
    hub.lies = 1
    failed = await admin.ended(await admin.pull(FILE))
    assert (failed["status"], failed["error"]["code"]) == ("failed", "model_file_changed")
    assert list((admin.folder / "hub").rglob("blobs/*")) == []
    assert (await admin.call("GET", "far"))[0] == 404


async def test_what_an_attempt_left_damaged_is_fetched_once_more(admin: Admin, hub: FakeHub) -> None:
    hub.lies, hub.breaks_after = 1, 40 * PIECE
    assert (await admin.ended(await admin.pull(FILE)))["status"] == "ready"
    assert [start > 0 for _, start in hub.asked] == [False, True, False]


@pytest.mark.parametrize(
    ("change", "status", "code", "says"),
    [
        ({"source": {"huggingface": "org/other", "file": "m.gguf"}}, 400, "source_not_found", "org/other"),
        ({"source": FILE["source"] | {"file": "none.gguf"}}, 400, "source_not_found", r"It has m\.gguf, q4"),
        ({"source": FILE["source"] | {"revision": "v9"}}, 400, "source_not_found", "this revision"),
        ({"source": FILE["source"] | {"sha256": "0" * 64}}, 409, "model_file_changed", SHA),
        ({"source": FILE["source"] | {"fil": 1}}, 422, "invalid_model", r"source\.fil"),
        ({"source": {"huggingface": "org/tiny"}}, 422, "invalid_model", "needs max_input_tokens and dimensions"),
        ({"source": {"ollama": "m", "base_url": "http://10.0.0.1:11434"}}, 400, "model_refused", "ADDED_HOSTS"),
        ({"model": "pull"}, 422, "invalid_model", "no model may be called pull"),
        ({"model": "talker"}, 409, "model_declared_in_file", "talker"),
        ({"model": "a/b"}, 422, "invalid_model", "name"),
        ({"context_length": 1}, 422, "invalid_model", "context_length"),
    ],
)
async def test_what_can_not_be_pulled_is_refused_before_a_byte_comes(
    admin: Admin, hub: FakeHub, change: dict[str, Any], status: int, code: str, says: str
) -> None:
    found_status, found_code, message = await admin.refused(FILE | change)
    assert (found_status, found_code) == (status, code), message
    assert re.search(says, message), message
    assert hub.asked == []
    assert (await admin.call("GET", "pull"))[1]["data"] == []


async def test_a_name_that_another_model_has_is_not_taken_from_it(admin: Admin, hub: FakeHub) -> None:
    declared = {"kind": "chat", "engine": "scripted", "context_length": 64}
    assert (await admin.call("PUT", "far", declared))[0] == 200
    assert (await admin.refused(FILE))[:2] == (409, "model_name_taken")
    assert hub.asked == []


@pytest.mark.parametrize(
    ("settings", "status", "code"),
    [
        ({"pull_bytes": 0}, 403, "pulls_forbidden"),
        ({"pull_bytes": len(GGUF) - 1}, 413, "pull_too_large"),
        ({"disk_reserve_bytes": 2**60}, 503, "disk_full"),
    ],
)
async def test_more_than_may_be_or_has_room_is_refused(
    tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], status: int, code: str
) -> None:
    async with administered(tmp_path, hub.url, monkeypatch, **settings) as admin:
        assert (await admin.refused(FILE))[:2] == (status, code)
        assert hub.asked == []


@pytest.mark.parametrize(("said", "status", "code"), [(401, 400, "source_refused"), (503, 503, "hub_unreachable")])
async def test_a_hub_that_gives_nothing_is_said(admin: Admin, hub: FakeHub, said: int, status: int, code: str) -> None:
    hub.status = said
    assert (await admin.refused(FILE))[:2] == (status, code)


async def test_a_hub_that_goes_away_meanwhile_is_waited_for(admin: Admin, hub: FakeHub) -> None:
    hub.breaks_after, hub.status_after = 40 * PIECE, 503
    job = await admin.pull(FILE)
    await admin.until(job["id"], lambda found: found["waiting_on"] == "hub")
    assert admin.halves()
    hub.status = None
    assert (await admin.ended(job))["status"] == "ready"
    assert hub.asked[-1][1] > 0


async def test_it_is_served_again_once_its_files_are_back(admin: Admin, hub: FakeHub) -> None:
    done = await admin.ended(await admin.pull(FILE))
    for file in (admin.folder / "hub").rglob("*"):
        if file.is_file() or file.is_symlink():
            file.unlink()
    await admin.call("DELETE", "far")
    body = {"kind": "chat", "engine": "llamacpp", "context_length": 4096, "source": done["source"]}
    _, lost = await admin.call("PUT", "far", body)
    assert "groundwork model pull" in lost["reason"]
    assert (await admin.ended(await admin.pull(FILE)))["status"] == "ready"
    assert "is not on this machine" not in (await admin.call("GET", "far"))[1]["reason"]


async def test_another_tenants_key_and_a_plain_one_reach_nothing(admin: Admin) -> None:
    for method, path in (("POST", "pull"), ("GET", "pull"), ("GET", "pull/x"), ("DELETE", "pull/x")):
        url = f"{admin.service.url}/v1/models/{path}"
        async with admin.service.session.request(method, url, json=FILE, headers=admin.service.headers) as answer:
            assert answer.status == 403


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
        self.app = Starlette(
            routes=[
                Route("/api/pull", self._pull, methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
            ]
        )

    async def _pull(self, request: Request) -> Response:
        self.pulled.append(await request.json())
        return StreamingResponse(self._said(), media_type="application/x-ndjson")

    async def _said(self) -> AsyncIterator[bytes]:
        for line in self.lines:
            yield json.dumps(line).encode() + b"\n"

    async def _models(self, _: Request) -> Response:
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


def test_the_setting_allows_pulls_unless_it_is_zero() -> None:
    assert InferenceSettings().pull_bytes == 50_000_000_000
