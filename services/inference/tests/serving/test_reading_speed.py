from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from services.inference.tests.engines.wrappers import engines

from contracts.models.chat import ChatRequest
from inference.catalog.models_file import Model
from inference.protocol.engines import ChatEngine, Piece
from inference.serving import reading_speed
from inference.serving.chat import ChatStream
from inference.serving.reading_speed import ReadingSpeed
from inference.serving.served_model import Declaration, ServedModel
from servicekit.core.errors import UpstreamFailed


class Reader:
    """A model that reads `SAMPLE` and says `usage`, once `free` is set."""

    def __init__(self, usage: dict[str, Any] | None = None, failure: Exception | None = None) -> None:
        self.usage, self.failure, self.free = usage, failure, asyncio.Event()
        self.asked: list[ChatRequest] = []

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        self.asked.append(request)
        if self.failure is not None:
            raise self.failure
        await self.free.wait()
        yield Piece(usage=self.usage)

    @property
    def engine(self) -> ChatEngine:
        return cast("ChatEngine", self)


def test_nothing_is_known_before_the_first_call() -> None:
    assert ReadingSpeed().tokens_per_second is None


def test_one_call_that_had_to_wait_does_not_decide() -> None:
    speed = ReadingSpeed()
    for seconds in (1, 1, 50, 1):
        speed.record({"prompt_tokens": 100}, seconds)
    assert speed.tokens_per_second == 100


def test_what_a_server_knew_already_was_not_read() -> None:
    speed = ReadingSpeed()
    speed.record({"prompt_tokens": 1100, "prompt_tokens_details": {"cached_tokens": 1000}}, 2)
    speed.record({"prompt_tokens": 1100, "prompt_tokens_details": {"cached_tokens": 1090}}, 0.1)
    assert speed.tokens_per_second == 50


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "many"}, {"prompt_tokens": 63}])
def test_what_says_nothing_is_left_out(usage: dict[str, Any] | None) -> None:
    speed = ReadingSpeed()
    speed.record(usage, 1)
    assert speed.tokens_per_second is None


def test_a_call_that_nobody_waited_for_tells_how_slow_it_is_at_best() -> None:
    speed = ReadingSpeed()
    speed.record_unfinished(2000, 20)
    assert speed.tokens_per_second == 100
    speed.record_unfinished(8000, 20)  # given up sooner than it is known to need: says nothing
    assert speed.tokens_per_second == 100


def test_old_calls_are_forgotten() -> None:
    speed = ReadingSpeed()
    for _ in range(2):
        speed.record({"prompt_tokens": 100}, 10)
    for _ in range(7):
        speed.record({"prompt_tokens": 100}, 1)
    assert speed.tokens_per_second == 100


async def test_a_model_that_was_just_loaded_is_measured() -> None:
    speed, model = ReadingSpeed(), Reader({"prompt_tokens": 130})
    model.free.set()
    await speed.measure(model.engine, "m")
    assert speed.tokens_per_second is not None
    assert [request.max_tokens for request in model.asked] == [1]


async def test_one_that_takes_too_long_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_speed, "SAMPLE_SECONDS", 0.01)
    monkeypatch.setattr(reading_speed, "SAMPLE_TOKENS", 2)
    speed = ReadingSpeed()
    await speed.measure(Reader().engine, "m")
    assert speed.tokens_per_second is None  # so little time tells nothing
    monkeypatch.setattr(reading_speed, "SAMPLE_TOKENS", 130)
    monkeypatch.setattr(reading_speed, "LEAST_SECONDS", 0.01)
    await speed.measure(Reader().engine, "m")
    assert speed.tokens_per_second == 13_000


async def test_one_that_fails_is_served_all_the_same() -> None:
    speed = ReadingSpeed()
    await speed.measure(Reader(failure=UpstreamFailed("broken")).engine, "m")
    assert speed.tokens_per_second is None


async def test_each_stream_tells_its_model_how_fast_it_reads(declared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "USAGE", {"prompt_tokens": 130, "completion_tokens": 2, "total_tokens": 132})
    served = ServedModel[ChatEngine](Declaration(Model.model_validate(declared["chat"])), engines.FakeEngine("said"))
    await served.open()
    said = {"model": "talker", "stream": True, "messages": [{"role": "user", "content": "Anything?"}]}
    stream = ChatStream(served, ChatRequest.model_validate(said), None)
    await stream.begin()
    assert served.info().input_tokens_per_second is None, "how much it has read is known at its end"
    assert [frame async for frame in stream.frames()][-1] == b"data: [DONE]\n\n"
    await stream.close()
    assert (served.info().input_tokens_per_second or 0) > 0
