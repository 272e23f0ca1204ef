"""Streams that go wrong: errors before and after the first byte, clients that leave, shutdowns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.support.gateway.running import DEADLINE_SECONDS, RunningGateway, eventually, running_gateway

from gateway.bootstrap import create_app, open_dependencies
from gateway.server.listeners import listener, serve_all
from gateway.streaming import exchange as forwarding


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running_gateway(tmp_path) as running:
        yield running


def _chat(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hello"}], "stream": True, **more}


async def test_an_error_before_the_first_byte_is_a_status_and_not_a_200(gateway: RunningGateway) -> None:
    answer = await gateway.call("POST", "/v1/chat/completions", json=_chat("broken"))
    error = (await answer.json())["error"]
    assert (answer.status, error["code"]) == (503, "queue_full")
    assert error["request_id"] == answer.headers["X-Request-Id"]


async def test_an_error_after_the_first_byte_is_an_event_and_then_the_end(gateway: RunningGateway) -> None:
    answer = await gateway.call("POST", "/v1/chat/completions", json=_chat("cut"))
    assert answer.status == 200
    events = (await answer.text()).strip().split("\n\n")
    assert events[-1].startswith("event: error\n")
    error = json.loads(events[-1].split("data: ", 1)[1])["error"]
    assert (error["type"], error["code"]) == ("upstream_error", "stream_broken_off")
    assert error["request_id"] == answer.headers["X-Request-Id"]
    (row,) = await gateway.usage_rows(1)
    assert (row["error_type"], row["estimated"]) == ("upstream_error", True)


async def test_a_client_that_leaves_ends_the_inner_call_and_is_still_billed(gateway: RunningGateway) -> None:
    headers = {"Authorization": f"Bearer {gateway.admin_key}"}
    async with gateway.session.post(
        f"{gateway.url}/v1/chat/completions", json=_chat("slow"), headers=headers
    ) as answer:
        assert b"Hel" in await answer.content.readany()
        answer.close()
    await asyncio.wait_for(gateway.seen.cancelled.wait(), DEADLINE_SECONDS)
    (row,) = await gateway.usage_rows(1)
    assert (row["status"], row["error_type"], row["estimated"]) == (499, "client_disconnected", True)
    assert row["completion_tokens"] == 1
    assert row["prompt_tokens"] > 0
    assert row["cost_nano_usd"] > 0


async def _pieces_until(answer: aiohttp.ClientResponse, gateway: RunningGateway, act: Callable[[], Any]) -> str:
    """All of an answer; `act` is done once it has begun, and what the model still has to say comes after that."""
    text = (await answer.content.readany()).decode()
    await act()
    gateway.seen.release.set()
    return text + (await answer.content.read()).decode()


async def test_a_stream_ends_when_its_key_is_revoked_and_what_was_said_is_billed(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "CHECK_SECONDS", 0.0)
    created = await gateway.new_key()
    headers = {"Authorization": f"Bearer {created['secret']}"}
    url = f"{gateway.url}/v1/chat/completions"
    async with gateway.session.post(url, json=_chat("slow"), headers=headers) as answer:
        text = await _pieces_until(answer, gateway, lambda: gateway.call("DELETE", f"/v1/keys/{created['id']}"))
    assert '"content": "lo"' not in text
    error = json.loads(text.split("event: error\ndata: ", 1)[1])["error"]
    assert (error["type"], error["code"]) == ("authentication", "key_revoked")
    (row,) = await gateway.usage_rows(1)
    assert row["error_type"] == "authentication"
    assert row["cost_nano_usd"] > 0
    assert gateway.deps.breakers.counts("slow")[1] == 0  # the model has done nothing wrong


async def test_a_stream_goes_on_when_its_key_is_rotated(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "CHECK_SECONDS", 0.0)
    created = await gateway.new_key()
    headers = {"Authorization": f"Bearer {created['secret']}"}
    url = f"{gateway.url}/v1/chat/completions"
    async with gateway.session.post(url, json=_chat("slow"), headers=headers) as answer:
        rotate = f"/v1/keys/{created['id']}/rotate"
        text = await _pieces_until(answer, gateway, lambda: gateway.call("POST", rotate, json={"overlap_seconds": 0}))
    assert text.endswith("data: [DONE]\n\n")
    assert (await gateway.call("GET", "/v1/usage", created["secret"])).status == 401


async def test_events_of_a_job_end_when_the_key_that_follows_them_is_revoked(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "CHECK_SECONDS", 0.0)
    created = await gateway.new_key()
    headers = {"Authorization": f"Bearer {created['secret']}"}
    async with gateway.session.get(f"{gateway.url}/v1/jobs/job_slow/events", headers=headers) as answer:
        text = await _pieces_until(answer, gateway, lambda: gateway.call("DELETE", f"/v1/keys/{created['id']}"))
    assert '"ready"' not in text
    assert '"key_revoked"' in text


async def test_an_answer_that_a_guardrail_ends_is_no_failure_of_its_model(gateway: RunningGateway) -> None:
    created = await gateway.new_key(guardrails={"output": {"pii": "block"}})
    gateway.seen.script["echo"] = ["leak"]
    answer = await gateway.call("POST", "/v1/chat/completions", created["secret"], json=_chat("echo"))
    assert '"content_blocked"' in await answer.text()
    assert gateway.deps.breakers.counts("echo") == (1, 0)


async def test_embeddings_whose_usage_is_nonsense_are_billed_as_they_were_reserved(gateway: RunningGateway) -> None:
    answer = await gateway.call("POST", "/v1/embeddings", json={"model": "mini", "input": "a lie"})
    assert answer.status == 200
    (row,) = await gateway.usage_rows(1)
    assert (row["embedding_tokens"], row["estimated"], row["cost_nano_usd"]) == (4, True, 4000)


async def test_a_client_that_leaves_while_texts_are_embedded_is_billed_for_them(gateway: RunningGateway) -> None:
    call = asyncio.ensure_future(gateway.call("POST", "/v1/embeddings", json={"model": "mini", "input": "hang"}))
    await eventually(lambda: any(one["path"].endswith("/v1/embeddings") for one in gateway.seen.calls))
    call.cancel()
    (row,) = await gateway.usage_rows(1)
    assert (row["status"], row["error_type"], row["estimated"]) == (499, "client_disconnected", True)
    assert row["embedding_tokens"] > 0
    assert row["cost_nano_usd"] > 0


async def test_an_upload_whose_client_leaves_ends_the_inner_call(gateway: RunningGateway) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        await asyncio.Event().wait()

    upload = asyncio.create_task(
        gateway.call("POST", "/v1/collections/handbook/documents", data=half(), headers={"Content-Type": "a/b"})
    )
    await asyncio.wait_for(gateway.seen.begun.wait(), DEADLINE_SECONDS)
    upload.cancel()
    await asyncio.gather(upload, return_exceptions=True)
    (row,) = await gateway.usage_rows(1)
    assert (row["route"], row["status"]) == ("documents", 499)
    await eventually(lambda: bool(gateway.seen.calls))


async def test_job_events_pass_as_they_come(gateway: RunningGateway) -> None:
    answer = await gateway.call("GET", "/v1/jobs/job_1/events")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    assert (await answer.text()).count("data: ") == 2


async def test_a_shutdown_lets_a_running_stream_finish_and_writes_its_usage(gateway: RunningGateway) -> None:
    """A second replica over the same ledger is told to stop in the middle of a stream."""
    settings = gateway.deps.settings.model_copy(update={"shutdown_seconds": 5.0})
    async with open_dependencies(settings) as deps:
        replica = listener(create_app(settings, deps), settings, "127.0.0.1", 0)
        serving = asyncio.create_task(serve_all([replica]))
        await eventually(lambda: replica.started)
        port = replica.servers[0].sockets[0].getsockname()[1]
        headers = {"Authorization": f"Bearer {gateway.admin_key}"}
        async with gateway.session.post(
            f"http://127.0.0.1:{port}/v1/chat/completions", json=_chat("slow"), headers=headers
        ) as answer:
            await answer.content.readany()
            replica.should_exit = True
            gateway.seen.release.set()
            assert (await answer.text()).endswith("data: [DONE]\n\n")
        await asyncio.wait_for(serving, DEADLINE_SECONDS)
    (row,) = await gateway.usage_rows(1)
    assert (row["status"], row["error_type"], row["completion_tokens"]) == (200, None, 10)


async def test_a_peer_that_is_not_there_is_503_and_says_which(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, inference_url="http://127.0.0.1:1") as gateway:
        answer = await gateway.call("POST", "/v1/chat/completions", json=_chat("echo"))
        assert (answer.status, (await answer.json())["error"]["code"]) == (503, "inference_unreachable")
        ready = await gateway.call("GET", "/readyz")
        assert (ready.status, (await ready.json())["parts"]["inference"]["ok"]) == (503, False)


async def test_more_open_calls_than_there_is_room_for_are_refused_and_told_when_to_come_back(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, open_calls=2) as gateway:
        held = [asyncio.create_task(gateway.call("POST", "/v1/chat/completions", json=_chat("slow"))) for _ in range(2)]
        await eventually(lambda: sum(call["peer"] == "inference" for call in gateway.seen.calls) == 2)
        refused = await asyncio.gather(
            *(gateway.call("POST", "/v1/chat/completions", json=_chat("slow")) for _ in range(50))
        )
        assert {(answer.status, answer.headers["Retry-After"]) for answer in refused} == {(429, "1")}
        assert (await refused[0].json())["error"]["type"] == "overloaded"
        assert (await gateway.call("GET", "/v1/models")).status == 200  # other calls pass
        gateway.seen.release.set()
        assert [answer.status for answer in await asyncio.gather(*held)] == [200, 200]
        assert (await gateway.call("POST", "/v1/chat/completions", json=_chat("slow"))).status == 200
