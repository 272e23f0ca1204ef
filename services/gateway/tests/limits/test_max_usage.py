from __future__ import annotations

from decimal import Decimal

import pytest

from contracts.models.catalog import ModelInfo, ModelPrice
from contracts.models.chat import ChatRequest, Message
from gateway.limits.max_usage import HIT_TOKENS, RERANKED, AssumedTokens, chat_max_usage, search_max_usage
from gateway.models.catalog import Models
from gateway.models.cost import MOST_TOKENS

ASSUMED = AssumedTokens(answer=512, picture=2000)


@pytest.mark.parametrize("address", ["https://example.com/a.png", "data:image/png;base64," + "A" * 600_000])
def test_a_picture_is_reckoned_as_tokens_whatever_its_address_is_long(address: str) -> None:
    model = ModelInfo(id="m", kind="chat", price=ModelPrice(prompt_usd_per_million=Decimal(1000)))
    parts = [{"type": "text", "text": "What is it?"}, *[{"type": "image_url", "image_url": {"url": address}}] * 3]
    asked = ChatRequest.model_validate({"model": "m", "messages": [{"role": "user", "content": parts}]})
    size = 300 + 3 * len(address)
    max_usage = chat_max_usage(model, asked, size, ASSUMED)
    assert max_usage.prompt_tokens == 3 * 2000 + 100
    assert (
        max_usage.cost == max_usage.prompt_tokens * 1_000_000
    )  # 6.1 USD: a budget of 0.50 lets none of many at once in


def test_an_absurd_wish_is_reserved_with_numbers_that_a_ledger_takes() -> None:
    model = ModelInfo(
        id="m", kind="chat", price=ModelPrice(prompt_usd_per_million=Decimal(1), completion_usd_per_million=Decimal(9))
    )
    asked = ChatRequest(model="m", messages=[Message(role="user", content="Hi")], max_tokens=2**63 - 1, n=16)
    max_usage = chat_max_usage(model, asked, 100, ASSUMED)
    assert max_usage.completion_tokens == MOST_TOKENS * 16
    assert max_usage.cost is not None
    assert max_usage.cost < 2**63


def test_blanks_in_a_body_reserve_nothing_of_what_its_answer_may_cost() -> None:
    price = ModelPrice(prompt_usd_per_million=Decimal(1), completion_usd_per_million=Decimal(9))
    model = ModelInfo(id="m", kind="chat", price=price, context_length=8000)
    asked = ChatRequest(model="m", messages=[Message(role="user", content="Hi")], max_tokens=5000)
    plain, padded = (chat_max_usage(model, asked, size, ASSUMED) for size in (100, 10**7))
    assert (plain.completion_tokens, padded.completion_tokens) == (5000, 5000)
    assert padded.tokens == model.context_length
    assert plain.cost is not None
    assert padded.cost is not None
    assert plain.cost <= padded.cost


EMBEDDER = ModelInfo(id="e", kind="embedding", price=ModelPrice(prompt_usd_per_million=Decimal(1)))
RERANKER = ModelInfo(id="r", kind="rerank", price=ModelPrice(prompt_usd_per_million=Decimal(2)))


@pytest.mark.parametrize(
    ("reranker", "cost"),
    [
        (None, 1000),
        (RERANKER, 1000 + RERANKED * (1 + HIT_TOKENS) * 2000),
        (RERANKER.model_copy(update={"context_length": 100}), 1000 + RERANKED * 100 * 2000),
        (RERANKER.model_copy(update={"price": ModelPrice(prompt_usd_per_million=Decimal(0))}), 1000),
        (RERANKER.model_copy(update={"price": None}), None),
    ],
    ids=["none", "priced", "short", "free", "nobody-knows"],
)
def test_a_search_may_cost_what_is_read_to_rerank_its_hits(reranker: ModelInfo | None, cost: int | None) -> None:
    max_usage = search_max_usage(Models.of([EMBEDDER, RERANKER]), "abc", 1, reranker)
    assert (max_usage.cost, max_usage.tokens) == (cost, 1)
