from __future__ import annotations

import pytest
from services.agent.tests.conftest import LEAVE, LEAVE_QUESTION, Bench, content_of

from contracts.models.chat import ChatCompletion

RIGHT = "Full-time employees get 27 days of paid leave per year."
INCLUDE = {"include": ["sources", "receipt"]}


def kind_of(answer: ChatCompletion) -> str:
    assert answer.groundwork is not None
    return answer.groundwork.answer_kind


def degraded(answer: ChatCompletion) -> list[str]:
    assert answer.groundwork is not None
    assert answer.groundwork.receipt is not None
    return answer.groundwork.receipt.degraded


def assert_exact(answer: ChatCompletion) -> None:
    """Every marker has a citation at its place, and every quote is its span of the source."""
    content = content_of(answer)
    annotations = answer.choices[0].message.annotations or []
    for one in annotations:
        assert content[one.index :].startswith(one.marker)
        assert LEAVE.text[one.start - LEAVE.start : one.end - LEAVE.start] == one.quote
    assert content.count("[") == len(annotations)


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
