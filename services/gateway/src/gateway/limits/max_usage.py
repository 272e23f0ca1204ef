"""How much a call may use at most, as far as its body tells."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contracts.models.catalog import ModelInfo
from contracts.models.chat import ChatRequest
from gateway.limits.reservations import MaxUsage
from gateway.models.catalog import Models
from gateway.models.cost import MOST_TOKENS, cost_nano_usd, sum_costs

BYTES_A_TOKEN = 3
"""Text of most kinds and languages has more bytes a token than this, so that an estimate is rather too high."""

MARKS = 2
"""Tokens that an encoder reads beside each text: where it begins and ends."""
PICTURES = frozenset(("image_url", "input_image", "image"))
"""Types of parts that are pictures."""
MOST_ANSWERS = 1000
"""What one call is reckoned to make at most, whatever it says."""
RERANKED, HIT_TOKENS = 30, 512
"""How many hits a search is reckoned to have reranked, as the retriever does unless it is set otherwise, and the tokens
of each."""


def tokens_of(*texts: str) -> int:
    """About how many tokens texts have."""
    return sum(tokens_in(len(text.encode())) for text in texts)


def encoded_tokens_of(*texts: str) -> int:
    """The same as an encoder reads each, alone or as one of a pair: many short texts are more than their letters."""
    return tokens_of(*texts) + MARKS * len(texts)


def tokens_in(text_bytes: int) -> int:
    """About how many tokens a number of bytes has."""
    return math.ceil(text_bytes / BYTES_A_TOKEN)


@dataclass(frozen=True, slots=True)
class AssumedTokens:
    """Tokens that stand for what a request does not tell: an answer without `max_tokens`, a picture."""

    answer: int
    picture: int


def prompt_bytes(request: ChatRequest, request_bytes: int) -> tuple[int, int]:
    """How many bytes of a request are words, and how many pictures it has: a picture's address or data is neither."""
    pictures = [
        part
        for message in request.messages
        if isinstance(message.content, list)
        for part in message.content
        if part.type in PICTURES
    ]
    taken = sum(len(text.encode(errors="replace")) for part in pictures for text in texts_in(part.model_extra))
    return max(0, request_bytes - taken), len(pictures)


def texts_in(value: object) -> Iterator[str]:
    """Every text in a part's fields, at any depth."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def chat_max_usage(model: ModelInfo, request: ChatRequest, request_bytes: int, assumed: AssumedTokens) -> MaxUsage:
    """The prompt, and the longest answer that any field allows, for each answer asked for; without one, an assumed
    length. A picture is read as an assumed number of tokens, whatever its address or its data is long.

    Prompt and answer share what a model can read. How much of that a prompt leaves to its answer is not known before
    it is read (its estimate is made larger by blanks, which cost nothing), so that the answer has precedence here.
    """
    words, pictures = prompt_bytes(request, request_bytes)
    prompt, most = tokens_in(words) + pictures * assumed.picture, request.longest()
    length = min(most or assumed.answer, MOST_TOKENS)
    if model.context_length is not None:
        length = min(length, model.context_length)
        prompt = min(prompt, max(1, model.context_length - length))
    return MaxUsage.of_model(model, prompt, length * min(request.answers(), MOST_ANSWERS), open_ended=most is None)


def search_max_usage(models: Models, query: str, collections: int, reranker: ModelInfo | None = None) -> MaxUsage:
    """A search: its query is embedded by each model of its collections, which only they know; the dearest stand for
    them, one a collection. What may rerank it reads the query with each of the hits: how many, and how long, only the
    retriever knows, so that they are assumed, and count for budgets alone."""
    tokens = tokens_of(query)
    costs = [cost_nano_usd(model.price, tokens) for model in models.by_name.values() if model.kind == "embedding"]
    known = sorted((cost for cost in costs if cost is not None), reverse=True)
    readers = max(1, min(collections, len(costs)))
    embedded = sum(known[:readers]) if len(known) == len(costs) else None
    if reranker is None:
        return MaxUsage(embedding_tokens=tokens * readers, cost=embedded)
    each = tokens + HIT_TOKENS
    read = RERANKED * (each if reranker.context_length is None else min(each, reranker.context_length))
    cost = sum_costs(embedded, cost_nano_usd(reranker.price, read))
    return MaxUsage(embedding_tokens=tokens * readers, cost=cost)
