"""The last rung of a `rag:` answer: the agent's own graph against the real model plane, whose models all fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.gateway.running import RunningGateway, running_gateway

from agent.answering.completions import chunks, collect
from agent.answering.graph import Answering
from agent.peers.model_plane import ModelPlane
from agent.questions.conversation import read_conversation
from agent.settings import AgentSettings
from agent.testing.memory_library import MemoryLibrary
from agent.testing.scripted_answers import ScriptedSearch, hit
from contracts.models.chat import ChatCompletion, ChatRequest
from gateway.auth.tokens import ANSWERS
from servicekit.auth.delegation import DelegationVerifier
from servicekit.peers.client import Peer

LEAVE = hit("Full-time employees get 27 days of paid leave per year.", "leave-policy")
ROUTE = {"targets": [{"model": "echo"}], "on_error": ["free"]}


async def _answer(gateway: RunningGateway, model: str) -> ChatCompletion:
    principal = await gateway.deps.authenticator.require_active("key_admin")
    token = gateway.deps.issuer.token(principal, ANSWERS, "r1", "call_outer")
    delegation = DelegationVerifier(gateway.deps.settings.delegation_public_key_file).verify(token, "agent")
    question = "How many days of paid leave do full-time employees get per year?"
    options = {"model": model, "include": ["receipt"], "grounding": "strict"}
    request = ChatRequest.model_validate(
        {"model": "rag:handbook", "messages": [{"role": "user", "content": question}], "groundwork": options}
    )
    plane = ModelPlane(Peer("gateway", gateway.plane_url, gateway.session), "default")
    answering = Answering(ScriptedSearch([LEAVE]), plane, MemoryLibrary(), AgentSettings())
    events = answering.events(read_conversation(request, delegation), request, token, "r1")
    return await collect(chunks(events, request.model))


@pytest.mark.parametrize("model", ["echo", "smart"])
async def test_when_every_model_behind_the_plane_fails_the_sources_themselves_answer(
    tmp_path: Path, model: str
) -> None:
    async with running_gateway(tmp_path, circuit_requests=2) as gateway:
        assert (await gateway.call("PUT", "/v1/routes/smart", json=ROUTE)).status == 200
        gateway.seen.script.update({"echo": ["503"], "free": ["event"]})
        for circuit in ("closed, until these fail", "open"):
            answer = await _answer(gateway, model)
            assert answer.groundwork is not None, circuit
            assert answer.groundwork.answer_kind == "extractive"
            assert "27 days" in (answer.choices[0].message.content or "")
            assert answer.groundwork.receipt is not None
            assert "model_unavailable" in answer.groundwork.receipt.degraded
            assert answer.groundwork.receipt.collection_revisions == {"handbook": 1}
