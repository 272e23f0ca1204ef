from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from services.gateway.tests.callers import Caller
from services.gateway.tests.inner_services import Streamed
from services.gateway.tests.installation import ACTOR, CHAT, OTHER, Installation

from contracts.core.errors import ErrorBody
from contracts.models.routes import RouteSpec
from gateway.auth.keys import Principal
from gateway.chat.answer_start import PATH
from gateway.chat.service import chat
from servicekit.core.errors import PeerError

USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
WHOLE = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": USAGE}
SIZES = {"dimensions": 8, "max_input_tokens": 64, "revision": 1, "chunking": {}}
SHOWN = {"name": "a", "embedding_model": "e", **SIZES, "created_at": "2026-11-01T00:00:00Z"}
BODY = json.dumps(WHOLE).encode()


@pytest.fixture(autouse=True)
def _answering(installation: Installation) -> None:
    installation.offer(CHAT, OTHER)
    installation.inference.answers(PATH, WHOLE)


async def _put(installation: Installation, key_id: str, **more: Any) -> None:
    shadow = {"model": "o", "share": 1.0, "key_id": key_id, **more}  # all of the calls
    spec = RouteSpec.model_validate({"targets": [{"model": "m"}], "shadow": shadow})
    await installation.deps.routes.update_route("smart", spec, ACTOR)


async def _ask(installation: Installation, key: Principal, **changes: Any) -> Caller:
    caller = Caller.of({"model": "smart", "messages": [{"role": "user", "content": "hello"}], **changes})
    await chat(caller.exchange, installation.deps, key)
    return caller


async def test_a_shadow_is_asked_the_same_for_its_own_key_and_nobody_gets_its_answer(
    installation: Installation,
) -> None:
    caller_key, own_key = await installation.principal(), await installation.principal()
    await _put(installation, own_key.key_id)
    caller = await _ask(installation, caller_key, stream=False)
    await installation.deps.shadow_calls.wait()
    assert (caller.headers["x-groundwork-variant"], caller.headers["x-groundwork-model"]) == ("m", "m")
    assert [one.json["model"] for one in installation.inference.asked_for(PATH)] == ["m", "o"]
    rows = {row["variant"]: row for row in await installation.rows()}
    assert {name: row["key_id"] for name, row in rows.items()} == {"m": caller_key.key_id, "shadow": own_key.key_id}
    assert rows["shadow"]["unit"] == rows["m"]["unit"]
    assert (rows["shadow"]["model"], rows["shadow"]["failed"]) == ("o", False)


async def test_an_answer_neither_waits_for_its_shadow_nor_fails_with_it(installation: Installation) -> None:
    caller_key, own_key = await installation.principal(), await installation.principal()
    await _put(installation, own_key.key_id, model="rag:a")
    held = asyncio.Event()
    broken = PeerError(500, ErrorBody(type="internal", code="internal", message="Broken."))
    installation.retriever.answers("/v1/collections/a", SHOWN)
    installation.agent.answers(PATH, Streamed((held, BODY)), broken)
    answered = [await _ask(installation, caller_key, seed=number) for number in range(2)]
    held.set()
    await installation.deps.shadow_calls.wait()
    assert [caller.json["choices"] for caller in answered] == [WHOLE["choices"]] * 2
    shadows = [row for row in await installation.rows() if row["variant"] == "shadow"]
    assert sorted(row["failed"] for row in shadows) == [False, True]


async def test_one_tenants_questions_are_never_asked_in_anothers_name(installation: Installation) -> None:
    own_key = await installation.principal(tenant="other")
    await _put(installation, own_key.key_id)
    await _ask(installation, await installation.principal())
    await installation.deps.shadow_calls.wait()
    assert [one.json["model"] for one in installation.inference.asked_for(PATH)] == ["m"]


async def test_a_shadow_whose_key_is_revoked_is_left_out(installation: Installation) -> None:
    own_key = await installation.principal()
    await _put(installation, own_key.key_id)
    await installation.deps.keys.revoke_key(own_key.key_id, ACTOR)
    installation.deps.authenticator.invalidate(own_key.key_id)
    caller = await _ask(installation, await installation.principal())
    await installation.deps.shadow_calls.wait()
    assert caller.json["choices"] == WHOLE["choices"]
    assert len(installation.inference.asked_for(PATH)) == 1


async def test_what_the_callers_guardrails_mask_the_shadow_does_not_see_either(installation: Installation) -> None:
    guardrails = {"input": {"pii": "redact"}}
    caller_key = await installation.principal(guardrails=guardrails)
    own_key = await installation.principal()
    await _put(installation, own_key.key_id)
    await _ask(installation, caller_key, messages=[{"role": "user", "content": "I am jo@example.org"}])
    await installation.deps.shadow_calls.wait()
    bodies = [one.body for one in installation.inference.asked_for(PATH)]
    assert len(bodies) == 2
    assert not any(b"jo@example.org" in body for body in bodies)
