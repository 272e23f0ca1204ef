from __future__ import annotations

import pytest
from services.agent.tests.answering.answers import INCLUDE, OWN_PROMPT, RIGHT, assert_exact, degraded, kind_of
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, content_of

from agent.testing.scripted_answers import CAPABLE, hit
from agent.text.refusals import says_no_answer


async def test_strict_sends_what_is_supported_and_drops_what_is_not() -> None:
    says = f"{RIGHT} Everyone also gets a pony named Bella."
    answer = await Bench(says=says).ask(LEAVE_QUESTION, groundwork=OWN_PROMPT)
    assert content_of(answer) == f"{RIGHT} [1]"
    assert kind_of(answer) == "generated"
    assert answer.groundwork is not None
    assert answer.groundwork.grounded
    assert_exact(answer)


@pytest.mark.parametrize(
    "says", ["They get 99 days of leave.", "NO ANSWER", "Yes.", "", "Part-time employees get a share of it."]
)
async def test_strict_falls_back_on_the_source_itself(says: str) -> None:
    answer = await Bench(says=says).ask(LEAVE_QUESTION, groundwork={**INCLUDE, **OWN_PROMPT})
    assert "27 days" in content_of(answer)
    assert kind_of(answer) == "extractive"
    assert degraded(answer) == ["draft_unsupported"]
    assert_exact(answer)


@pytest.mark.parametrize(
    "says", ["NO ANSWER", "Everyone has a pony. The sources do not say how many days.", "Not specified."]
)
async def test_strict_believes_a_capable_model_that_there_is_no_answer(says: str) -> None:
    bench = Bench(says=says, info=CAPABLE)
    answer = await bench.ask(LEAVE_QUESTION, groundwork={**INCLUDE, "grounding": "strict"})
    assert kind_of(answer) == "abstained"
    assert degraded(answer) == []
    assert answer.choices[0].message.annotations == []
    assert "27" not in content_of(answer), "the extractive rung does not answer all the same"


async def test_what_was_found_counts_whatever_else_the_sources_do_not_say() -> None:
    says = f"{RIGHT} The sources do not say how many hours."
    answer = await Bench(says=says, info=CAPABLE).ask(LEAVE_QUESTION, groundwork={"grounding": "strict"})
    assert content_of(answer) == f"{RIGHT} [1]"


async def test_a_small_model_that_rambles_is_not_waited_for() -> None:
    says = " ".join(f"Ponies number {at} live here." for at in range(30))
    bench = Bench(says=says)
    answer = await bench.ask(LEAVE_QUESTION, groundwork=OWN_PROMPT)
    assert kind_of(answer) == "extractive"
    assert bench.models.closed == 1
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 0, "it was ended before it could tell its usage"


FORBIDDEN = "The documents cannot be given to visitors."
RULES = hit(f"# Rules\n\n{FORBIDDEN} Visitors wear a badge at all times.", "rules")


async def test_strict_takes_what_a_source_says_for_an_answer_though_it_is_worded_like_a_denial() -> None:
    assert says_no_answer(FORBIDDEN)
    bench = Bench(hits=(RULES,), says=FORBIDDEN, info=CAPABLE)
    answer = await bench.ask("May the documents be given to visitors?", groundwork={"grounding": "strict"})
    assert kind_of(answer) == "generated"
    assert content_of(answer) == f"{FORBIDDEN} [1]"
