from __future__ import annotations

from typing import Any

import pytest
from services.gateway.tests.callers import Caller
from services.gateway.tests.installation import ACTOR, CHAT, OTHER, Installation

from contracts.agents.prompts import RenderedPrompt
from contracts.core.errors import ErrorBody
from contracts.models.routes import RouteSpec
from gateway.auth.keys import Principal
from gateway.chat.answer_start import PATH
from gateway.chat.service import chat
from gateway.models.errors import ModelNotFound
from gateway.routing.errors import RouteNotPlain
from servicekit.core.errors import PeerError

USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
WHOLE = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": USAGE}
RECEIPT = {"request_id": "r", "tokens": {}, "collection_revisions": {"a": 1}, "model": "m"}
REPORT = {"grounded": True, "abstained": False, "answer_kind": "generated", "collections": ["a"], "receipt": RECEIPT}
SIZES = {"dimensions": 8, "max_input_tokens": 64, "revision": 1, "chunking": {}}
SHOWN = {"name": "a", "embedding_model": "e", **SIZES, "created_at": "2026-11-01T00:00:00Z"}
KEY = Principal("k1", "acme", frozenset(("chat", "agents")))
TWO = [{"model": "m", "name": "old"}, {"model": "o", "name": "new"}]


@pytest.fixture(autouse=True)
def _answering(installation: Installation) -> None:
    installation.offer(CHAT, OTHER)
    installation.inference.answers(PATH, WHOLE)
    installation.agent.answers(PATH, {**WHOLE, "groundwork": REPORT})
    installation.retriever.answers("/v1/collections/a", SHOWN)


async def _put(installation: Installation, targets: list[dict[str, Any]], **more: Any) -> None:
    spec = RouteSpec.model_validate({"targets": targets, **more})
    await installation.deps.routes.update_route("smart", spec, ACTOR)


async def _ask(installation: Installation, key: Principal = KEY, **changes: Any) -> Caller:
    headers = changes.pop("headers", {})
    body = {"model": "smart", "messages": [{"role": "user", "content": "hello"}], **changes}
    caller = Caller.of(body, **headers)
    await chat(caller.exchange, installation.deps, key)
    return caller


def _variants(callers: list[Caller]) -> list[str]:
    return [caller.headers["x-groundwork-variant"] for caller in callers]


async def test_an_answer_says_its_variant_and_so_does_the_ledger(installation: Installation) -> None:
    await _put(installation, TWO)
    caller = await _ask(installation)
    (variant,) = _variants([caller])
    assert caller.headers["x-groundwork-model"] == {"old": "m", "new": "o"}[variant]
    (row,) = await installation.rows()
    assert (row["split"], row["split_version"], row["variant"], row["failed"]) == ("smart", 1, variant, False)
    assert row["unit"]


async def test_a_person_keeps_a_variant_over_keys_and_others_have_the_other(installation: Installation) -> None:
    await _put(installation, TWO, split_by="user")
    people = [f"p{number}" for number in range(30)]
    first = _variants([await _ask(installation, user=person) for person in people])
    other_key = Principal("k2", "acme", frozenset(("chat",)))
    again = _variants([await _ask(installation, other_key, safety_identifier=person) for person in people])
    assert first == again
    assert set(first) == {"old", "new"}
    alone = _variants([await _ask(installation) for _ in range(5)])
    assert len(set(alone)) == 1  # who names nobody counts for its key


async def test_a_conversation_keeps_its_variant_as_it_grows(installation: Installation) -> None:
    await _put(installation, TWO, split_by="conversation")
    variants = set()
    for number in range(20):
        begun = [{"role": "user", "content": f"question {number}"}]
        grown = [*begun, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "and then?"}]
        both = _variants([await _ask(installation, messages=begun), await _ask(installation, messages=grown)])
        assert both[0] == both[1]
        variants |= set(both)
    assert variants == {"old", "new"}


async def test_a_conversation_that_is_named_keeps_its_variant_when_its_beginning_is_cut_off(
    installation: Installation,
) -> None:
    await _put(installation, TWO, split_by="conversation")
    drawn = []
    for name in range(9):
        cut = [[{"role": "user", "content": f"question {number}"}] for number in range(3)]
        named = {"x-groundwork-conversation": f"c{name}"}
        drawn.append({*_variants([await _ask(installation, messages=each, headers=named) for each in cut])})
    assert [len(variants) for variants in drawn] == [1] * len(drawn)
    assert set().union(*drawn) == {"old", "new"}
    named = {"x-groundwork-conversation": "c1"}
    others = [Principal(f"k{number}", "acme", frozenset(("chat",))) for number in range(12)]
    assert set(_variants([await _ask(installation, key, headers=named) for key in others])) == {"old", "new"}


async def test_calls_that_nobody_keeps_are_drawn_one_by_one(installation: Installation) -> None:
    await _put(installation, TWO, split_by="call")
    assert set(_variants([await _ask(installation, seed=number) for number in range(30)])) == {"old", "new"}


async def test_a_variant_answers_from_documents_by_its_own_settings_and_its_receipt_says_so(
    installation: Installation,
) -> None:
    await _put(installation, [{"model": "rag:a", "name": "few", "groundwork": {"top_k": 3}}])
    caller = await _ask(installation, groundwork={"top_k": 9, "mode": "sparse", "include": ["receipt"]})
    (asked,) = installation.agent.asked_for(PATH)
    options = asked.json["groundwork"]
    assert (asked.json["model"], options["top_k"], options["mode"]) == ("rag:a", 3, "sparse")
    receipt = caller.json["groundwork"]["receipt"]
    assert receipt["variant"] == {"route": "smart", "version": 1, "name": "few"}
    (row,) = [row for row in await installation.rows() if row["parent_id"] is None]
    assert (row["variant"], row["model"], row["grounded"], row["abstained"]) == ("few", "rag:a", True, False)


async def test_an_answer_is_never_given_again_as_another_variants(installation: Installation) -> None:
    same = [{"model": "rag:a", "name": "one"}, {"model": "rag:a", "name": "two"}]
    receipt = {**RECEIPT, "fingerprints": {"m": "f1"}}
    installation.agent.answers(PATH, {**WHOLE, "groundwork": {**REPORT, "receipt": receipt}})
    await _put(installation, same, split_by="user")
    for number in range(10):
        for _ in range(2):
            caller = await _ask(installation, user=f"p{number}", groundwork={"include": ["receipt"]})
            assert caller.json["groundwork"]["receipt"]["variant"]["name"] == caller.headers["x-groundwork-variant"]
    assert caller.headers["x-groundwork-cache"] == "hit"


async def test_options_that_another_variant_would_use_are_said_to_be_ignored(installation: Installation) -> None:
    await _put(installation, [{"model": "m"}, {"model": "rag:a", "weight": 0}])
    caller = await _ask(installation, groundwork={"top_k": 3})
    assert caller.headers["x-groundwork-degraded"] == "options_ignored"
    assert caller.json["choices"] == WHOLE["choices"]


async def test_a_variant_may_be_an_agent(installation: Installation) -> None:
    await _put(installation, [{"model": "agent:helper@2"}])
    caller = await _ask(installation)
    (asked,) = installation.agent.asked_for(PATH)
    assert (asked.json["model"], _variants([caller])) == ("agent:helper@2", ["agent:helper@2"])


async def test_a_variant_that_was_answered_for_by_another_has_failed(installation: Installation) -> None:
    await _put(installation, [{"model": "m"}, {"model": "o", "weight": 0}, {"model": "rag:a", "weight": 0}])
    installation.inference.answers(
        PATH, PeerError(500, ErrorBody(type="internal", code="internal", message="Broken.")), WHOLE
    )
    caller = await _ask(installation)
    assert caller.headers["x-groundwork-model"] == "o"
    rows = await installation.rows()
    assert [(row["model"], row["variant"], row["failed"]) for row in rows] == [("m", None, None), ("o", "m", True)]


async def test_a_route_to_answers_goes_into_no_completion_and_no_other_answer(installation: Installation) -> None:
    await _put(installation, [{"model": "rag:a"}])
    with pytest.raises(RouteNotPlain):
        await _ask(installation, model="rag:a", groundwork={"model": "smart"})


async def test_a_key_needs_the_right_to_the_route_and_to_the_documents_behind_it(installation: Installation) -> None:
    await _put(installation, [{"model": "rag:a"}])
    for rights in ({"models": ("m",)}, {"models": ("smart", "m"), "collections": ("b",)}):
        with pytest.raises(ModelNotFound):
            await _ask(installation, Principal("k3", "acme", frozenset(("chat",)), **rights))  # type: ignore[arg-type]


async def test_a_variant_may_be_a_prompt_whose_variables_the_caller_gives_for_all_of_them(
    installation: Installation,
) -> None:
    said = [{"role": "system", "content": "Be brief."}]
    filled = RenderedPrompt.model_validate({"name": "greet", "version": 2, "model": "m", "messages": said})
    installation.agent.answers("/v1/prompts/greet/fill", filled)
    await _put(installation, [{"model": "prompt:greet@2"}, {"model": "m", "weight": 0}])
    caller = await _ask(installation, groundwork={"variables": {"who": "Ann"}})
    assert (caller.headers["x-groundwork-prompt"], _variants([caller])) == ("greet@2", ["prompt:greet@2"])
    await _put(installation, [{"model": "m"}, {"model": "prompt:greet@2", "weight": 0}])
    caller = await _ask(installation, groundwork={"variables": {"who": "Ann"}})
    assert (caller.headers["x-groundwork-degraded"], _variants([caller])) == ("options_ignored", ["m"])
    rows = {row["variant"]: row["failed"] for row in await installation.rows()}
    assert rows == {"prompt:greet@2": False, "m": False}


async def test_a_variant_by_a_prompt_that_ships_does_without_the_variables_of_the_others(
    installation: Installation,
) -> None:
    ships = {"prompt": "groundwork-answer@2"}
    await _put(installation, [{"model": "rag:a", "groundwork": ships}, {"model": "prompt:greet@2", "weight": 0}])
    await _ask(installation, store=True, groundwork={"variables": {"who": "Ann"}})
    (asked,) = installation.agent.asked_for(PATH)
    assert asked.json["groundwork"]["prompt"] == ships["prompt"]
    assert asked.json["groundwork"]["variables"] is None
