from __future__ import annotations

import pytest

from agent.answering.drafting.room import LEAST_OF_A_SLOW_MODEL, room_for_sources, seconds_to_first_token
from agent.settings import AgentSettings
from agent.testing.scripted_answers import CAPABLE, PACKAGED
from contracts.models.catalog import ModelInfo
from contracts.models.chat import ChatRequest

SETTINGS = AgentSettings()


def reading(speed: float | None, info: ModelInfo = CAPABLE) -> ModelInfo:
    return info.model_copy(update={"input_tokens_per_second": speed})


@pytest.mark.parametrize(
    ("speed", "room"),
    [(None, 6000), (5000, 6000), (100, 1100), (50, 400), (27, LEAST_OF_A_SLOW_MODEL), (0.1, LEAST_OF_A_SLOW_MODEL)],
)
def test_a_slow_model_is_given_what_it_reads_in_time(speed: float | None, room: int) -> None:
    assert room_for_sources(reading(speed), SETTINGS, beside=1000, around=300) == room


def test_the_packaged_model_is_given_what_it_always_is() -> None:
    assert room_for_sources(reading(30, PACKAGED), SETTINGS, beside=400, around=300) == 550


def test_a_short_context_bounds_first() -> None:
    short = reading(1000).model_copy(update={"context_length": 1024})
    assert room_for_sources(short, SETTINGS, beside=900, around=300) == 124
    assert room_for_sources(short, SETTINGS, beside=2000, around=300) == 64


@pytest.mark.parametrize(("speed", "seconds"), [(None, 20), (1000, 20), (50, 30)])
def test_a_slow_model_is_waited_for_as_long_as_its_least_prompt_takes(speed: float | None, seconds: float) -> None:
    said = [{"role": "user", "content": "x" * 3600}]
    request = ChatRequest.model_validate({"model": "m", "messages": said})
    assert seconds_to_first_token(request, reading(speed), SETTINGS) == seconds
