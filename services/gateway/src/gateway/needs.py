"""How much a call may use at most, as far as its body tells."""

from __future__ import annotations

import math

from contracts.chat import ChatRequest
from contracts.models import ModelInfo
from gateway.catalogue import Models
from gateway.pricing import MOST_TOKENS, cost_nano_usd
from gateway.reservations import Need

BYTES_A_TOKEN = 3
"""Text of most kinds and languages has more bytes a token than this, so that an estimate is rather too high."""

MOST_ANSWERS = 1000
"""What one call is reckoned to make at most, whatever it says."""


def tokens_of(*texts: str) -> int:
    """About how many tokens texts have."""
    return sum(tokens_in(len(text.encode())) for text in texts)


def tokens_in(text_bytes: int) -> int:
    """About how many tokens a number of bytes has."""
    return math.ceil(text_bytes / BYTES_A_TOKEN)


def chat_need(model: ModelInfo, request: ChatRequest, request_bytes: int, assumed: int) -> Need:
    """The prompt, and the longest answer that any field allows, for each answer asked for; without one, an assumed
    length.

    Prompt and answer share what a model can read. How much of that a prompt leaves to its answer is not known before
    it is read (its estimate is made larger by blanks, which cost nothing), so that the answer has precedence here.
    """
    prompt, most = tokens_in(request_bytes), request.longest()
    length = min(most or assumed, MOST_TOKENS)
    if model.context_length is not None:
        length = min(length, model.context_length)
        prompt = min(prompt, max(1, model.context_length - length))
    return Need.of_model(model, prompt, length * min(request.answers(), MOST_ANSWERS), open_ended=most is None)


def search_need(models: Models, query: str) -> Need:
    """A search: its query is embedded, by a model that only the collection knows; the dearest stands for it."""
    tokens = tokens_of(query)
    costs = [cost_nano_usd(model.price, tokens) for model in models.by_name.values() if model.kind == "embedding"]
    known = [cost for cost in costs if cost is not None]
    return Need(embedding_tokens=tokens, cost=max(known, default=0) if len(known) == len(costs) else None)
