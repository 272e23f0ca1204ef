"""`GET /v1/models`: what a key may use, in an order in which the first is a good choice, and each by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from tests.support.gateway.running import RunningGateway, running_gateway


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running_gateway(tmp_path, reranker=True) as running:
        yield running


def client_of(gateway: RunningGateway, key: str | None = None) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key or gateway.admin_key, max_retries=0)


async def test_the_list_begins_with_what_answers_and_ends_with_what_embeds(gateway: RunningGateway) -> None:
    async with client_of(gateway) as client:
        models: list[Any] = (await client.models.list()).data
    kinds = [model.kind for model in models]
    assert list(dict.fromkeys(kinds)) == ["rag", "agent", "chat", "rerank", "embedding"]
    assert kinds == sorted(kinds, key=["rag", "agent", "chat", "rerank", "embedding"].index)


async def test_each_model_says_its_root_its_length_and_when_it_was_added(gateway: RunningGateway) -> None:
    async with client_of(gateway) as client:
        models: dict[str, Any] = {model.id: model for model in (await client.models.list()).data}
    assert all(model.root == model.id and model.owned_by == "groundwork" for model in models.values())
    assert (models["echo"].max_model_len, models["echo"].created) == (4096, 7)
    assert models["rag:handbook"].created > 0
    assert models["agent:helper"].created > 0


@pytest.mark.parametrize("name", ["echo", "mini", "judge", "rag:handbook", "rag:handbook,papers", "agent:helper"])
async def test_a_model_is_shown_by_its_name(gateway: RunningGateway, name: str) -> None:
    gateway.seen.births["handbook"] = datetime(2026, 1, 1, tzinfo=UTC)
    async with client_of(gateway) as client:
        listed = {model.id: model for model in (await client.models.list()).data}
        shown = await client.models.retrieve(name)
    assert (shown.id, shown.object) == (name, "model")
    assert shown == listed.get(name, shown)


async def test_the_default_model_is_shown_under_its_own_name(gateway: RunningGateway) -> None:
    async with client_of(gateway) as client:
        assert (await client.models.retrieve("default")).id == "echo"


@pytest.mark.parametrize(
    "name",
    ["nope", "meta-llama/Llama-3", "rag:secret", "rag:nothing", "rag:handbook,secret", "rag:A", "agent:nobody", "mini"],
)
async def test_a_model_that_is_not_there_or_not_for_this_key_is_not_found_in_openais_words(
    gateway: RunningGateway, name: str
) -> None:
    key = await gateway.new_key(
        scopes=["chat", "agents"], models=["echo"], collections=["handbook", "papers", "nothing"]
    )
    async with client_of(gateway, key["secret"]) as client:
        with pytest.raises(openai.NotFoundError) as refused:
            await client.models.retrieve(name)
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    assert f"The model `{name}` does not exist or you do not have access to it." in refused.value.message


async def test_a_key_without_the_scope_for_answers_finds_no_models_that_answer(gateway: RunningGateway) -> None:
    key = await gateway.new_key(scopes=["search"])
    async with client_of(gateway, key["secret"]) as client:
        assert (await client.models.retrieve("echo")).id == "echo"
        for name in ("rag:handbook", "agent:helper"):
            with pytest.raises(openai.NotFoundError):
                await client.models.retrieve(name)
