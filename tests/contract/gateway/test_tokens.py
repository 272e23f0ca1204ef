"""`POST /v1/tokenize` and `/v1/detokenize`, and embeddings of token ids, through gateway and inference."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from tests.support.gateway.running import RunningGateway
from tests.support.inference.real import running_with_inference

from gateway.limits.memory_limiter import MemoryLimiter
from servicekit.core.clock import SystemClock

TEXT = "What is the capital of France?"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("gateway")
    async with running_with_inference(folder, limiter=MemoryLimiter(SystemClock())) as running:
        yield running


async def _call(
    gateway: RunningGateway, path: str, body: dict[str, Any], key: str | None = None
) -> tuple[int, dict[str, Any]]:
    answer = await gateway.call("POST", path, key, json=body)
    return answer.status, await answer.json()


async def test_a_text_becomes_tokens_and_a_text_again_and_costs_nothing(gateway: RunningGateway) -> None:
    key = await gateway.new_key()
    status, told = await _call(gateway, "/v1/tokenize", {"prompt": TEXT, "return_token_strs": True}, key["secret"])
    assert (status, told["count"], told["max_model_len"]) == (200, 7, 4096)
    assert told["token_strs"] == ["What", "is", "the", "capital", "of", "France", "?"]
    _, back = await _call(gateway, "/v1/detokenize", {"model": "talker", "tokens": told["tokens"]}, key["secret"])
    assert back == {"prompt": "What is the capital of France ?"}
    rows = await gateway.usage_rows(2, key["id"])
    assert {(row["route"], row["model"], row["cost_nano_usd"], row["prompt_tokens"]) for row in rows} == {
        ("tokens", "talker", 0, 0)
    }


async def test_every_kind_of_model_has_tokens(gateway: RunningGateway) -> None:
    for model in ("talker", "words", "overlap"):
        status, told = await _call(gateway, "/v1/tokenize", {"model": model, "prompt": TEXT})
        assert (status, told["count"]) == (200, 7)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("tokenize", {"model": "nothing", "prompt": "a"}, 404, "model_not_found"),
        ("tokenize", {"model": "rag:handbook", "prompt": "a"}, 404, "model_not_found"),
        ("tokenize", {"prompt": "a", "chat_template": "x"}, 422, "invalid_body"),
        ("tokenize", {"messages": [{"role": "user", "content": "a"}]}, 400, "unsupported_parameter"),
        ("detokenize", {"tokens": [99_999]}, 400, "token_unknown"),
        ("detokenize", {"tokens": [-1]}, 422, "invalid_body"),
        ("embeddings", {"input": [99_999]}, 400, "token_ids_foreign"),
        ("embeddings", {"input": [[1], "a"]}, 422, "invalid_body"),
    ],
)
async def test_what_can_not_be_done_is_refused(
    gateway: RunningGateway, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    got, told = await _call(gateway, f"/v1/{path}", body)
    assert (got, told["error"]["code"]) == (status, code), told


async def test_scopes_models_limits_and_guardrails_of_a_key_hold(gateway: RunningGateway) -> None:
    ask = {"model": "talker", "prompt": TEXT}
    searcher = await gateway.new_key(scopes=["search"])
    assert (await _call(gateway, "/v1/tokenize", ask, searcher["secret"]))[0] == 403
    narrow = await gateway.new_key(models=["clerk"])
    assert (await _call(gateway, "/v1/tokenize", ask, narrow["secret"]))[0] == 404
    once = await gateway.new_key(limits={"requests_per_minute": 1})
    assert [(await _call(gateway, "/v1/tokenize", ask, once["secret"]))[0] for _ in range(2)] == [200, 429]
    guarded = await gateway.new_key(guardrails={"input": {"secrets": "block"}})
    _, refused = await _call(gateway, "/v1/tokenize", {"prompt": "AKIA" + "A" * 16}, guarded["secret"])
    assert refused["error"]["code"] == "content_blocked"


async def test_token_ids_have_the_vector_and_the_price_of_their_text(gateway: RunningGateway) -> None:
    key = await gateway.new_key()
    _, told = await _call(gateway, "/v1/tokenize", {"model": "words", "prompt": TEXT})
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key["secret"], max_retries=0) as client:
        of_text = await client.embeddings.create(model="words", input=TEXT)
        of_ids = await client.embeddings.create(model="words", input=[told["tokens"]])
    assert of_ids.data[0].embedding == of_text.data[0].embedding
    rows = await gateway.usage_rows(2, key["id"])
    assert len({(row["embedding_tokens"], row["cost_nano_usd"]) for row in rows}) == 1


async def test_a_key_asks_for_no_more_texts_of_tokens_than_its_requests(gateway: RunningGateway) -> None:
    key = await gateway.new_key(limits={"requests_per_minute": 1})
    found = [(await _call(gateway, "/v1/embeddings", {"input": [99_999]}, key["secret"]))[0] for _ in range(2)]
    assert found == [400, 429]
