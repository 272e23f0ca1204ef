from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from services.gateway.tests.callers import Caller
from services.gateway.tests.installation import CHAT, EMBEDDER, OTHER, RERANKER, Installation

from contracts.agents.agents import Agent
from contracts.agents.prompts import Prompt, PromptSummary
from contracts.core.errors import ErrorBody
from contracts.core.pages import Page
from contracts.retrieval.collections import Chunking, Collection
from gateway.auth.keys import Principal
from gateway.chat.model_list import get_model, list_models
from gateway.models.errors import ModelNotFound
from servicekit.core.errors import NotReady, PeerError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 2, 1, tzinfo=UTC)
GONE = PeerError(404, ErrorBody(type="not_found", code="collection_not_found", message="There is none."))


def _collection(name: str, created_at: datetime = NOW) -> Collection:
    return Collection(
        name=name, embedding_model="e", dimensions=3, max_input_tokens=9, chunking=Chunking(), created_at=created_at
    )


def _agent(name: str) -> Agent:
    return Agent(name=name, version=1, created_at=NOW, updated_at=LATER)


def _prompt(name: str) -> PromptSummary:
    return PromptSummary(name=name, version=1, newest=1, created_at=NOW, updated_at=LATER)


def _key(*scopes: Any, **more: Any) -> Principal:
    return Principal("k1", "acme", frozenset(scopes or ("chat", "agents")), **more)


async def _listed(installation: Installation, key: Principal) -> list[str]:
    caller = Caller()
    await list_models(caller.exchange, installation.deps, key)
    return [model["id"] for model in caller.json["data"]]


async def _shown(installation: Installation, key: Principal, name: str) -> dict[str, Any]:
    caller = Caller().at(id=name)
    await get_model(caller.exchange, installation.deps, key)
    return dict(caller.json)


@pytest.fixture(autouse=True)
def _known(installation: Installation) -> None:
    installation.offer(EMBEDDER, RERANKER, CHAT, OTHER)
    pages = Page[Collection](data=[_collection("a")], next_cursor="more"), Page[Collection](data=[_collection("b")])
    installation.retriever.answers("/v1/collections", *pages)
    installation.agent.answers("/v1/agents", Page[Agent](data=[_agent("helper")]))
    installation.agent.answers("/v1/prompts", Page[PromptSummary](data=[_prompt("greeting")]))


async def test_the_list_has_all_pages_of_collections_then_agents_and_prompts_then_plain_models_that_answer_first(
    installation: Installation,
) -> None:
    assert await _listed(installation, _key()) == [
        "rag:a",
        "rag:b",
        "agent:helper",
        "prompt:greeting",
        "m",
        "o",
        "r",
        "e",
    ]
    first, second = installation.retriever.asked
    assert ("cursor" in first.params, second.params["cursor"]) == (False, "more")


@pytest.mark.parametrize(
    ("key", "listed"),
    [
        (_key("search"), ["m", "o", "r", "e"]),
        (_key("agents"), ["m", "o", "r", "e"]),
        (_key("chat"), ["rag:a", "rag:b", "prompt:greeting", "m", "o", "r", "e"]),
        (_key("chat", collections=("b",), models=("o",)), ["rag:b", "prompt:greeting", "o"]),
        (_key("chat", collections=(), models=()), ["prompt:greeting"]),
    ],
)
async def test_a_key_is_shown_what_it_may_use_and_nothing_else(
    installation: Installation, key: Principal, listed: list[str]
) -> None:
    assert await _listed(installation, key) == listed


async def test_a_model_from_several_collections_is_as_new_as_the_newest(installation: Installation) -> None:
    installation.retriever.answers("/v1/collections/a", _collection("a", LATER))
    installation.retriever.answers("/v1/collections/b", _collection("b"))
    shown = await _shown(installation, _key(), "rag:a,b")
    assert (shown["id"], shown["kind"], shown["created"]) == ("rag:a,b", "rag", int(LATER.timestamp()))


async def test_an_agent_is_as_old_as_its_first_version(installation: Installation) -> None:
    installation.agent.answers("/v1/agents/helper", _agent("helper"))
    assert (await _shown(installation, _key(), "agent:helper"))["created"] == int(NOW.timestamp())


async def test_a_prompt_is_shown_under_the_name_that_was_asked_for_and_left_out_while_none_can_be_had(
    installation: Installation,
) -> None:
    prompt = Prompt.model_validate({**_prompt("greeting").model_dump(exclude={"model"}), "messages": []})
    installation.agent.answers("/v1/prompts/greeting", prompt)
    shown = await _shown(installation, _key(), "prompt:greeting@candidate")
    assert (shown["id"], shown["kind"], shown["created"]) == (
        "prompt:greeting@candidate",
        "prompt",
        int(NOW.timestamp()),
    )
    installation.agent.answers("/v1/prompts", PeerError(503, NotReady("x").body(None)))
    assert await _listed(installation, _key("chat")) == ["rag:a", "rag:b", "m", "o", "r", "e"]


async def test_default_is_shown_as_the_model_that_it_means(installation: Installation) -> None:
    installation.inference.answers("/v1/models/m", CHAT)
    assert (await _shown(installation, _key(), "default"))["id"] == "m"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("nope", _key()),
        ("m", _key(models=("o",))),
        ("default", _key(models=("o",))),
        ("rag:gone", _key()),
        ("rag:a", _key(collections=("b",))),
        ("rag:a", _key("agents")),
        ("rag:../x", _key()),
        ("agent:gone", _key()),
        ("agent:a/b", _key()),
        ("agent:helper", _key("chat")),
        ("prompt:gone", _key()),
        ("prompt:a/b", _key()),
        ("prompt:greeting", _key("agents")),
    ],
)
async def test_a_model_that_is_not_there_or_not_for_this_key_is_not_found(
    installation: Installation, name: str, key: Principal
) -> None:
    installation.retriever.answers("/v1/collections/gone", GONE)
    installation.agent.answers("/v1/agents/gone", GONE)
    installation.agent.answers("/v1/prompts/gone", GONE)
    with pytest.raises(ModelNotFound):
        await _shown(installation, key, name)


async def test_a_service_that_is_away_is_said_to_be_away(installation: Installation) -> None:
    installation.retriever.answers("/v1/collections/a", PeerError(503, NotReady("x").body(None)))
    with pytest.raises(PeerError) as failed:
        await _shown(installation, _key(), "rag:a")
    assert failed.value.http_status == 503
