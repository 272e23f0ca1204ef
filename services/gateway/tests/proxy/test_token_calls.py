from __future__ import annotations

import pytest
from services.gateway.tests.callers import Caller
from services.gateway.tests.installation import Installation

from gateway.auth.keys import Principal
from gateway.proxy.token_calls import texts_of_tokens, tokenize

KEY = Principal("k1", "acme", frozenset({"chat"}))


@pytest.mark.parametrize("parent", [None, "call_0"])
async def test_texts_are_asked_for_after_a_public_call_has_taken_its_request(
    installation: Installation, parent: str | None
) -> None:
    installation.inference.answers("/v1/token-texts", {"texts": ["a"]})
    caller, deps = Caller.of({}), installation.deps
    model = (await deps.catalog.models(KEY.tenant)).of_any_kind("e", KEY)
    async with deps.meter.call(KEY, "embeddings", "req_1", parent) as call:
        assert await texts_of_tokens(caller.exchange, deps, call, model, [[1, 2]], "input") == ["a"]
        assert call.is_reserved == (parent is None)
    assert installation.inference.asked[-1].json == {"model": "e", "param": "input", "tokens": [[1, 2]]}


async def test_a_tokenizers_answer_is_given_as_it_comes(installation: Installation) -> None:
    told = {"count": 1, "max_model_len": None, "tokens": [5], "token_strs": None}
    installation.inference.answers("/v1/tokenize", told)
    caller = Caller.of({"prompt": "a"})
    async with installation.deps.meter.call(KEY, "tokens", "req_1") as call:
        await tokenize(caller.exchange, installation.deps, call)
    assert caller.json == told
    (row,) = await installation.rows()
    assert (row["route"], row["cost_nano_usd"], row["prompt_tokens"]) == ("tokens", 0, 0)
