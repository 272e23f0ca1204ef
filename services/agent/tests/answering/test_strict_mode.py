from __future__ import annotations

import pytest
from services.agent.tests.answering.answers import INCLUDE, RIGHT, assert_exact, degraded, kind_of
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, content_of


async def test_strict_sends_what_is_supported_and_drops_what_is_not() -> None:
    answer = await Bench(says=f"{RIGHT} Everyone also gets a pony named Bella.").ask(LEAVE_QUESTION)
    assert content_of(answer) == f"{RIGHT} [1]"
    assert kind_of(answer) == "generated"
    assert answer.groundwork is not None
    assert answer.groundwork.grounded
    assert_exact(answer)


@pytest.mark.parametrize(
    "says", ["They get 99 days of leave.", "NO ANSWER", "Yes.", "", "Part-time employees get a share of it."]
)
async def test_strict_falls_back_on_the_source_itself(says: str) -> None:
    answer = await Bench(says=says).ask(LEAVE_QUESTION, groundwork=INCLUDE)
    assert "27 days" in content_of(answer)
    assert kind_of(answer) == "extractive"
    assert degraded(answer) == ["draft_unsupported"]
    assert_exact(answer)


async def test_a_small_model_that_rambles_is_not_waited_for() -> None:
    says = " ".join(f"Ponies number {at} live here." for at in range(30))
    bench = Bench(says=says)
    answer = await bench.ask(LEAVE_QUESTION)
    assert kind_of(answer) == "extractive"
    assert bench.models.closed == 1
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 0, "it was ended before it could tell its usage"
