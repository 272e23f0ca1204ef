"""Who decides that the documents hold no answer: call, collection, key, and what the model that answers is."""

from __future__ import annotations

from typing import Any

import pytest
from services.agent.tests.answering.answers import RIGHT, kind_of
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, content_of

from agent.answering.drafting.prompt import DO_NOT_REFUSE, REFUSE
from agent.testing.scripted_answers import CAPABLE
from contracts.core.abstention import Abstain
from contracts.models.chat import AnswerReport, ChatCompletion

UNANSWERED = "What does a llama weigh?"
"""A question whose words no document has: rules refuse it."""
SAID = "A llama weighs some 150 kilograms."
FORM = {
    "type": "json_schema",
    "json_schema": {
        "name": "llama",
        "schema": {"type": "object", "properties": {"weight": {"type": ["string", "null"]}}, "required": ["weight"]},
    },
}


def decided_by(answer: ChatCompletion) -> Abstain | None:
    assert isinstance(answer.groundwork, AnswerReport)
    return answer.groundwork.abstain


@pytest.mark.parametrize("grounding", ["annotate", "off"])
async def test_a_connected_model_is_asked_what_rules_see_no_answer_to(grounding: str) -> None:
    bench = Bench(says=SAID, info=CAPABLE)
    answer = await bench.ask(UNANSWERED, groundwork={"grounding": grounding})
    assert (content_of(answer), kind_of(answer), decided_by(answer)) == (SAID, "generated", "model")


@pytest.mark.parametrize("options", [{}, {"abstain": "model"}, {"grounding": "strict"}])
async def test_the_reader_s_no_stands_unless_a_source_supports_what_the_model_says(options: dict[str, Any]) -> None:
    bench = Bench(says=SAID, info=CAPABLE)
    answer = await bench.ask(UNANSWERED, groundwork=options)
    assert len(bench.models.requests) == 1
    assert (kind_of(answer), decided_by(answer)) == ("abstained", "model")
    assert SAID not in content_of(answer)
    supported = await Bench(says=f"{SAID} {RIGHT}", info=CAPABLE).ask(UNANSWERED, groundwork=options)
    assert (content_of(supported), kind_of(supported)) == (f"{RIGHT} [1]", "generated")


async def test_no_answer_is_the_connected_models_word() -> None:
    answer = await Bench(says="NO ANSWER", info=CAPABLE).ask(UNANSWERED)
    assert (kind_of(answer), decided_by(answer)) == ("abstained", "model")


async def test_the_packaged_model_is_not_asked_what_rules_refuse() -> None:
    bench = Bench(says=SAID)
    answer = await bench.ask(UNANSWERED)
    assert (kind_of(answer), decided_by(answer)) == ("abstained", "reader")
    assert not bench.models.requests


async def test_where_nothing_was_found_no_model_is_asked_for_an_answer() -> None:
    bench = Bench(hits=(), says=SAID, info=CAPABLE)
    assert kind_of(await bench.ask(UNANSWERED)) == "abstained"
    assert not bench.models.requests


@pytest.mark.parametrize(
    ("call", "collection", "key", "decides"),
    [
        ("reader", "never", "never", "reader"),
        (None, "reader", "never", "reader"),
        (None, None, "reader", "reader"),
        (None, None, None, "model"),
        ("model", "reader", "reader", "model"),
        (None, "model", "reader", "model"),
    ],
)
async def test_the_call_says_who_decides_before_the_collection_and_the_key(
    call: Abstain | None, collection: Abstain | None, key: Abstain | None, decides: Abstain
) -> None:
    bench = Bench(says=SAID, info=CAPABLE, key_abstain=key)
    bench.search.abstain = collection
    answer = await bench.ask(UNANSWERED, groundwork={"abstain": call} if call else {})
    assert decided_by(answer) == decides
    assert len(bench.models.requests) == (decides != "reader")


async def test_never_gives_what_the_model_says_though_it_says_that_there_is_no_answer() -> None:
    said = "The sources do not say what a llama weighs."
    bench = Bench(says=said, info=CAPABLE)
    answer = await bench.ask(UNANSWERED, groundwork={"abstain": "never"})
    assert (content_of(answer), kind_of(answer)) == (said, "generated")
    prompt = bench.models.requests[0].messages[0].plain_text()
    assert DO_NOT_REFUSE in prompt
    assert REFUSE not in prompt


@pytest.mark.parametrize("grounding", ["strict", "annotate", "off"])
async def test_never_shows_what_comes_closest_where_the_model_says_nothing_else(grounding: str) -> None:
    bench = Bench(says="NO ANSWER", info=CAPABLE)
    answer = await bench.ask(LEAVE_QUESTION, groundwork={"abstain": "never", "grounding": grounding})
    assert kind_of(answer) == "extractive"
    assert RIGHT.removesuffix(".") in content_of(answer)


async def test_never_with_strict_sends_only_what_a_source_supports() -> None:
    bench = Bench(says=f"{SAID} {RIGHT}", info=CAPABLE)
    answer = await bench.ask(UNANSWERED, groundwork={"abstain": "never", "grounding": "strict"})
    assert content_of(answer) == f"{RIGHT} [1]"


async def test_never_asks_the_packaged_model_too() -> None:
    answer = await Bench(says=SAID).ask(UNANSWERED, groundwork={"abstain": "never"})
    assert (content_of(answer), kind_of(answer)) == (SAID, "generated")


@pytest.mark.parametrize(("abstain", "asked"), [("reader", 0), ("model", 1), (None, 1)])
async def test_a_form_is_left_empty_unasked_only_where_the_reader_decides(abstain: str | None, asked: int) -> None:
    bench = Bench(says='{"weight": null}', info=CAPABLE)
    options: dict[str, Any] = {"abstain": abstain} if abstain else {}
    answer = await bench.ask(UNANSWERED, groundwork=options, response_format=FORM)
    assert len(bench.models.requests) == asked
    assert kind_of(answer) == "abstained"


async def test_never_keeps_what_no_source_supports_in_a_form() -> None:
    bench = Bench(says='{"weight": "150 kilograms"}', info=CAPABLE)
    answer = await bench.ask(UNANSWERED, groundwork={"abstain": "never"}, response_format=FORM)
    assert "150 kilograms" in content_of(answer)


async def test_a_part_that_rules_refuse_is_asked_of_a_connected_model() -> None:
    asked = "How many days of paid leave do employees get and who painted Mona Lisa?"
    bench = Bench(says=SAID, info=CAPABLE)
    answer = await bench.ask(asked, groundwork={"grounding": "off"})
    assert content_of(answer).count(SAID) == 2
    assert decided_by(answer) == "model"


async def test_a_greeting_is_decided_by_nobody() -> None:
    assert decided_by(await Bench(info=CAPABLE).ask("Hello")) is None
