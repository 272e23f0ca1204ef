"""Reading by the agent's client, the gateway's model plane and the real inference: readings, charges, errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.support.gateway.running import RunningGateway
from tests.support.inference.real import PRICE, TALKER, running_with_inference
from tests.support.inference.running import EMBEDDING, READING

from agent.peers.reader import PlaneReader
from contracts.models.reading import ReadingReply, ReadingRequest, SentencePair, Span
from gateway.auth.tokens import ANSWERS
from servicekit.core.clock import SystemClock
from servicekit.peers.client import Peer

JUDGED = json.dumps({"1": {"answers": 75, "relevance": 50, "quote": "red car"}})
JUDGE: dict[str, Any] = {
    "name": "judge",
    "kind": "reading",
    "engine": "judge",
    "source": {"chat_model": "talker"},
    "price": PRICE,
}
CHAT = {**TALKER, "source": {"rules": [{"when": "which car", "reply": JUDGED}]}}
ASKED = ReadingRequest(
    question="red car",
    passages=["A blue boat. The red car!", "nothing"],
    pairs=[SentencePair(premise="The car is red.", sentence="The car is red.")],
)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    models = [CHAT, EMBEDDING, {**READING, "price": PRICE}, JUDGE]
    async with running_with_inference(tmp_path, models) as running:
        yield running


async def ask(gateway: RunningGateway, request: ReadingRequest, outer: str = "call_outer") -> ReadingReply | None:
    principal = await gateway.deps.authenticator.require_active("key_admin")
    token = gateway.deps.issuer.token(principal, ANSWERS, outer, outer)
    reader = PlaneReader(Peer("gateway", gateway.plane_url, gateway.session), 60, SystemClock())
    with structlog.contextvars.bound_contextvars(request_id=outer):
        reply = await reader.read(request, token)
    assert (reply is None) is not reader.may_read("passages")
    return reply


async def read(gateway: RunningGateway, request: ReadingRequest, outer: str = "call_outer") -> ReadingReply:
    reply = await ask(gateway, request, outer)
    assert reply is not None
    return reply


async def test_readings_come_through_the_plane_and_are_charged_to_the_answer(gateway: RunningGateway) -> None:
    reply = await read(gateway, ASKED)
    assert reply.model == "reader"
    assert [reading.span for reading in reply.passages] == [Span(start=13, end=25), None]
    assert [reading.verdict for reading in reply.pairs] == ["supported"]
    spent = await gateway.deps.inner_calls.spent("call_outer", "key_admin")
    assert spent.tokens.reading == reply.usage.total_tokens > 0
    assert spent.tokens.rerank == spent.tokens.prompt == 0
    assert spent.cost == reply.usage.prompt_tokens * 1000


async def test_a_judge_is_asked_once_in_an_answer_and_what_it_knows_is_free(gateway: RunningGateway) -> None:
    request = ReadingRequest(model="judge", question="Which car?", passages=["A red car."])
    first, again = [await read(gateway, request) for _ in range(2)]
    assert first.passages == again.passages
    assert first.passages[0].span == Span(start=2, end=9)
    assert (first.usage.cached, again.usage.cached, again.usage.total_tokens) == (0, 1, 0)
    spent = await gateway.deps.inner_calls.spent("call_outer", "key_admin")
    assert spent.tokens.reading == first.usage.total_tokens
    assert spent.cost == first.usage.prompt_tokens * 1000 + first.usage.completion_tokens * 2000
    assert (await read(gateway, request, "call_other")).usage.cached == 0


async def test_without_a_reader_nothing_is_read_and_it_is_no_public_call(tmp_path: Path) -> None:
    async with running_with_inference(tmp_path) as gateway:
        assert await ask(gateway, ASKED) is None
        body = ASKED.model_dump()
        assert (await gateway.call("POST", "/v1/reading", json=body)).status == 404
        text = await (await gateway.call("POST", "/v1/reading", json=body)).text()
        assert "no_reader" not in text
