from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from contracts.models.chat import ChatRequest
from inference.catalog.sources import GUARD_LABELS
from inference.engines.judge.guard import ChatGuard
from inference.errors import UpstreamBroke


class Guard:
    """A chat model that gives one answer after another."""

    def __init__(self, *answers: object) -> None:
        self._answers = list(answers)
        self.asked: list[ChatRequest] = []

    async def ask(self, request: ChatRequest) -> Mapping[str, Any]:
        self.asked.append(request)
        usage = {"prompt_tokens": 20, "completion_tokens": 3}
        return {"choices": [{"message": {"content": self._answers.pop(0)}}], "usage": usage}

    async def probe(self) -> None:
        """It lives."""

    def engine(self, limit: int = 64) -> ChatGuard:
        return ChatGuard("guard", self.ask, self.probe, max_input_tokens=limit)


def _found(row: Any) -> set[str]:
    return {label for label, score in zip(GUARD_LABELS, row, strict=True) if score}


async def test_a_verdict_is_read_with_every_hazard_that_it_names() -> None:
    guard = Guard("\n\nsafe", "unsafe\nS1,S10", "Unsafe\nS99")
    found = await guard.engine().classify(["a", "b", "c"])
    assert [_found(row) for row in found.scores] == [{"safe"}, {"unsafe", "S1", "S10"}, {"unsafe"}]
    assert (found.tokens, found.completion_tokens, found.truncated) == (60, 9, 0)


async def test_the_text_alone_is_what_is_asked_and_what_is_too_long_is_cut() -> None:
    guard = Guard("safe")
    found = await guard.engine(limit=4).classify(["x" * 100])
    (asked,) = guard.asked
    assert [(message.role, message.content) for message in asked.messages] == [("user", "x" * 16)]
    assert (asked.temperature, found.truncated) == (0, 1)


@pytest.mark.parametrize("answer", ["I can't help with that.", "", None, "S1", {"safe": True}])
async def test_an_answer_without_a_verdict_is_an_error_and_never_safe(answer: object) -> None:
    with pytest.raises(UpstreamBroke, match="no verdict"):
        await Guard(answer).engine().classify(["a"])


async def test_parts_of_a_text_whose_characters_are_a_token_each_are_shorter() -> None:
    guard = Guard().engine(limit=64)
    assert await guard.parts("x" * 256) == ["x" * 256]
    parts = await guard.parts("\u8a9e" * 256)
    assert max(len(part) for part in parts) <= 256 // 3
    assert sum(map(len, parts)) >= 256


async def test_a_call_of_many_texts_keeps_no_other_call_waiting() -> None:
    may_answer = asyncio.Event()

    async def ask(request: ChatRequest) -> Mapping[str, Any]:
        if request.messages[0].content == "long":
            await may_answer.wait()
        return {"choices": [{"message": {"content": "safe"}}]}

    guard = ChatGuard("guard", ask, Guard().probe, max_input_tokens=64)
    many = asyncio.create_task(guard.classify(["long"] * 50))
    async with asyncio.timeout(60):
        (row,) = (await guard.classify(["short"])).scores
    assert (_found(row), many.done()) == ({"safe"}, False)
    may_answer.set()
    assert len((await many).scores) == 50
