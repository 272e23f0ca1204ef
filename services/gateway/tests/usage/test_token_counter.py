from __future__ import annotations

import json
from typing import Any

import pytest

from contracts.models.catalog import ModelInfo, ModelPrice
from contracts.models.chat import ChatRequest
from gateway.usage.token_counter import COUNTED_BYTES, ChatCount, TokenCounter
from servicekit.core.errors import NotFound, NotReady
from servicekit.peers.client import PeerAnswer

WORDS = json.dumps(
    {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"?": 0}, "unk_token": "?"},
    }
).encode()  # fmt: skip
MODEL = ModelInfo(id="a/b", kind="chat", price=ModelPrice(prompt_usd_per_million=1))
REQUEST = ChatRequest.model_validate(
    {"model": "m", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "why so"}]}
)


class _Mint:
    def own_token(self, audiences: object, scopes: object) -> str:
        return "token"


class Inference:
    """Answers with a tokenizer, or fails."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer: bytes | Exception = answer
        self.asked: list[str] = []

    async def send(self, method: str, path: str, *, token: str) -> PeerAnswer:
        self.asked.append(path)
        if isinstance(self.answer, Exception):
            raise self.answer
        return PeerAnswer(200, {}, self.answer)


def _counter(inference: Inference) -> TokenCounter:
    return TokenCounter(inference, _Mint())  # type: ignore[arg-type]


def _frame(delta: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"


async def test_what_an_upstream_did_not_report_is_counted_with_the_models_own_tokenizer() -> None:
    inference = Inference(WORDS)
    counter = _counter(inference)
    count = ChatCount(counter, MODEL, REQUEST, 100)
    await counter.ready()
    for delta in ({"role": "assistant"}, {"content": "one tw"}, {"content": "o three"}, {"reasoning_content": " hm"}):
        count.note(_frame(delta))
    count.note(_frame({"tool_calls": [{"index": 0, "function": {"name": " find", "arguments": " q"}}]}))
    count.note(b"data: not json\n\n")
    assert (count.prompt(), count.completion()) == (5, 6)
    assert inference.asked == ["/v1/models/a%2Fb/tokenizer"]


async def test_without_a_tokenizer_a_frame_with_text_is_a_token_and_it_is_asked_for_once() -> None:
    inference = Inference(NotFound("none"))
    counter = _counter(inference)
    for _ in range(3):
        count = ChatCount(counter, MODEL, REQUEST, 100)
        for delta in ({"role": "assistant"}, {"content": "one two three"}, {"content": "four"}):
            count.note(_frame(delta))
        await counter.ready()
        assert (count.prompt(), count.completion()) == (25, 2)
    assert len(inference.asked) == 1


@pytest.mark.parametrize("failure", [NotReady("away"), b"{nonsense"])
async def test_an_inference_that_fails_leaves_the_rule_of_thumb(failure: bytes | Exception) -> None:
    inference = Inference(failure)
    counter = _counter(inference)
    assert counter.count("m", "a b") is None
    await counter.ready()
    inference.answer = WORDS
    counter.count("m", "a b")
    await counter.ready()
    assert counter.count("m", "a b") == (2 if isinstance(failure, Exception) else None)


async def test_a_huge_text_is_counted_by_its_beginning() -> None:
    counter = _counter(Inference(WORDS))
    counter.prepare("m")
    await counter.ready()
    assert counter.count("m", "ab " * COUNTED_BYTES) == pytest.approx(COUNTED_BYTES, rel=1e-4)
    await counter.close()
