"""Answers whose sources a reading model reads: the agent's graph, the gateway's model plane and the real inference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.support.gateway.running import RunningGateway
from tests.support.inference.real import PRICE, TALKER, running_with_inference
from tests.support.inference.running import EMBEDDING, READING

from agent.answering.completions import chunks, collect
from agent.answering.graph import Answering
from agent.peers.model_plane import ModelPlane
from agent.peers.reader import PlaneReader
from agent.questions.conversation import read_conversation
from agent.settings import AgentSettings
from agent.testing.memory_library import MemoryLibrary
from agent.testing.scripted_answers import ScriptedSearch, hit
from contracts.models.chat import ChatCompletion, ChatRequest
from contracts.models.receipts import Receipt
from gateway.auth.tokens import ANSWERS
from servicekit.auth.delegation import DelegationVerifier
from servicekit.core.clock import SystemClock
from servicekit.peers.client import Peer

SAYS = "Full-time employees get 27 days of paid leave per year."
LEAVE = hit(f"{SAYS} Unused days lapse in June.", "leave-policy")
QUESTION = "How many days of paid leave do full-time employees get per year?"
NEAR_MISS = "Who at the head office of the company approves that some employees get more leave than others do?"
CHAT = {**TALKER, "source": {"rules": [{"when": "paid leave", "reply": SAYS}]}}
READER = {**READING, "price": PRICE, "max_input_tokens": 256}
NOT_LOADED: dict[str, Any] = {
    **READER,
    "engine": "sentence-transformers",
    "source": {"path": "/nowhere"},
}


async def answered(gateway: RunningGateway, question: str, **options: Any) -> tuple[ChatCompletion, Receipt]:
    principal = await gateway.deps.authenticator.require_active("key_admin")
    token = gateway.deps.issuer.token(principal, ANSWERS, "r1", "call_outer")
    delegation = DelegationVerifier(gateway.deps.settings.delegation_public_key_file).verify(token, "agent")
    request = ChatRequest.model_validate(
        {
            "model": "rag:handbook",
            "messages": [{"role": "user", "content": question}],
            "groundwork": {"include": ["receipt"], "grounding": "strict", **options},
        }
    )
    peer, settings = (
        Peer("gateway", gateway.plane_url, gateway.session),
        AgentSettings(reader_seconds=60, reader_threshold=0.5),
    )
    reader = PlaneReader(peer, 60, SystemClock())
    answering = Answering(ScriptedSearch([LEAVE]), ModelPlane(peer, "default"), MemoryLibrary(), settings, reader)
    with structlog.contextvars.bound_contextvars(request_id="call_outer"):
        events = answering.events(read_conversation(request, delegation), request, token, "r1")
        answer = await collect(chunks(events, request.model))
    assert answer.groundwork is not None
    assert answer.groundwork.receipt is not None
    return answer, answer.groundwork.receipt


def stages(receipt: Receipt) -> list[str]:
    return [stage.name for stage in receipt.stages]


async def test_passages_and_sentences_are_read_and_charged_to_the_answer(tmp_path: Path) -> None:
    async with running_with_inference(tmp_path, [CHAT, EMBEDDING, READER]) as gateway:
        answer, receipt = await answered(gateway, QUESTION)
        assert answer.choices[0].message.content == f"{SAYS} [1]"
        assert "read" in stages(receipt)
        assert receipt.degraded == []
        spent = await gateway.deps.inner_calls.spent("call_outer", "key_admin")
        assert spent.tokens.reading == receipt.tokens.reading > 0


async def test_a_question_that_no_passage_answers_is_told_by_the_reader(tmp_path: Path) -> None:
    async with running_with_inference(tmp_path, [CHAT, EMBEDDING, READER]) as gateway:
        answer, receipt = await answered(gateway, NEAR_MISS, abstain="reader")
        assert answer.groundwork is not None
        assert (answer.groundwork.answer_kind, receipt.model) == ("abstained", None)


@pytest.mark.parametrize(
    ("models", "degraded"), [([CHAT, EMBEDDING], []), ([CHAT, EMBEDDING, NOT_LOADED], ["reader_unavailable"])]
)
async def test_without_a_reader_or_with_one_that_fails_the_rules_answer(
    tmp_path: Path, models: Sequence[dict[str, Any]], degraded: list[str]
) -> None:
    async with running_with_inference(tmp_path, models) as gateway:
        answer, receipt = await answered(gateway, QUESTION)
        assert answer.choices[0].message.content == f"{SAYS} [1]"
        assert receipt.degraded == degraded
        assert ("read" in stages(receipt)) is bool(degraded)
