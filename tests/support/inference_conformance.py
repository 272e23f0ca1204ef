"""What any engine of inference must do. A subclass gives the fixture `engine`; texts are chosen to suit all."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from contracts.chat import ChatRequest
from inference.ports import ChatEngine, EmbeddingEngine, Piece
from servicekit.errors import ServiceError

PATIENCE_SECONDS = 60.0


def ask(text: str, **more: Any) -> ChatRequest:
    messages = [{"role": "user", "content": text}]
    return ChatRequest.model_validate({"model": "m", "messages": messages, "temperature": 0, **more})


def text_of(pieces: list[Piece]) -> str:
    return "".join(choice["delta"].get("content") or "" for piece in pieces for choice in piece.choices)


def reasons_of(pieces: list[Piece]) -> list[str]:
    return [choice["finish_reason"] for piece in pieces for choice in piece.choices if choice.get("finish_reason")]


class ChatConformance:
    """A chat engine with one place, a short line, and a context of a few hundred tokens."""

    async def test_a_stream_and_a_whole_answer_say_the_same(self, engine: ChatEngine) -> None:
        request = ask("What is the capital of France?", max_tokens=16)
        pieces = [piece async for piece in engine.stream(request)]
        whole = await engine.complete(request)
        assert text_of(pieces) == whole.choices[0]["message"]["content"]
        assert "Paris" in text_of(pieces)
        assert reasons_of(pieces) == [whole.choices[0]["finish_reason"]]
        usages = [piece.usage for piece in pieces if piece.usage]
        assert usages == [whole.usage]
        assert whole.usage is not None
        assert whole.usage["prompt_tokens"] + whole.usage["completion_tokens"] == whole.usage["total_tokens"]

    async def test_an_answer_is_cut_at_max_tokens_and_says_so(self, engine: ChatEngine) -> None:
        whole = await engine.complete(ask("Please count for ever: one two three", max_tokens=5))
        assert whole.choices[0]["finish_reason"] == "length"
        assert whole.usage is not None
        assert whole.usage["completion_tokens"] <= 5

    async def test_a_stop_string_ends_the_answer_and_is_not_shown(self, engine: ChatEngine) -> None:
        pieces = [p async for p in engine.stream(ask("What is the capital of France?", stop=["Paris"], max_tokens=16))]
        assert "Paris" not in text_of(pieces)
        assert reasons_of(pieces) == ["stop"]

    async def test_a_prompt_longer_than_the_context_is_refused_before_the_first_piece(self, engine: ChatEngine) -> None:
        with pytest.raises(ServiceError) as refused:
            await anext(engine.stream(ask("word " * 3000)))
        error = refused.value
        assert (error.http_status, error.code, error.param) == (400, "context_length_exceeded", "messages")

    async def test_an_abandoned_stream_frees_its_place_at_once(self, engine: ChatEngine) -> None:
        for _ in range(3):
            async with aclosing(engine.stream(ask("Please count for ever", max_tokens=200))) as pieces:
                assert text_of([await anext(pieces), await anext(pieces)])
        async with asyncio.timeout(PATIENCE_SECONDS):
            await engine.complete(ask("What is the capital of France?", max_tokens=1))

    async def test_a_cancelled_call_frees_its_place_at_once(self, engine: ChatEngine) -> None:
        calls = [asyncio.create_task(engine.complete(ask("Please count for ever", max_tokens=200))) for _ in range(2)]
        await asyncio.sleep(0.05)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await engine.complete(ask("What is the capital of France?", max_tokens=1))

    async def test_calls_beyond_the_line_are_refused_with_a_time_to_come_back(self, engine: ChatEngine) -> None:
        request = ask("Please count for ever", max_tokens=20)
        results = await asyncio.gather(*(engine.complete(request) for _ in range(12)), return_exceptions=True)
        refused = [result for result in results if isinstance(result, ServiceError)]
        assert {error.http_status for error in refused} == {429}
        assert all(int(error.headers()["Retry-After"]) >= 1 for error in refused)
        assert len(results) > len(refused) > 0

    async def test_what_it_can_not_do_is_refused(self, engine: ChatEngine) -> None:
        with pytest.raises(ServiceError) as refused:
            await engine.complete(ask("Hello", n=2))
        assert (refused.value.http_status, refused.value.param) == (400, "n")

    async def test_it_says_that_it_is_alive(self, engine: ChatEngine) -> None:
        await engine.probe()


class EmbeddingConformance:
    """An embedding engine that reads at most a few hundred tokens."""

    async def test_vectors_are_normalised_and_in_order(self, engine: EmbeddingEngine) -> None:
        texts = ["The cat sat on the mat.", "A cat sits on a mat.", "Quarterly revenue rose by nine percent."]
        vectors = (await engine.embed(texts, "bulk")).vectors
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
        assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]

    async def test_a_vector_does_not_depend_on_its_company(self, engine: EmbeddingEngine) -> None:
        text = "A fairly short sentence about lanterns."
        alone = (await engine.embed([text], "query")).vectors[0]
        crowd = ["x", text, "longer " * 60, "two words"]
        among = (await engine.embed(crowd, "bulk")).vectors[1]
        assert float(alone @ among) > 0.9999

    async def test_tokens_are_counted(self, engine: EmbeddingEngine) -> None:
        one = (await engine.embed(["one two three"], "query")).tokens
        both = (await engine.embed(["one two three", "one two three"], "query")).tokens
        assert one >= 3
        assert both == 2 * one

    async def test_calls_at_once_get_their_own_vectors(self, engine: EmbeddingEngine) -> None:
        texts = [f"text number {number}" for number in range(20)]
        together = await asyncio.gather(*(engine.embed([text], "query") for text in texts))
        alone = (await engine.embed(texts, "bulk")).vectors
        for number, got in enumerate(together):
            assert float(got.vectors[0] @ alone[number]) > 0.9999

    async def test_it_says_that_it_is_alive(self, engine: EmbeddingEngine) -> None:
        await engine.probe()
