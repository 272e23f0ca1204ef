from __future__ import annotations

from typing import Any

import pytest
from services.agent.tests.answering.answers import INCLUDE, RIGHT, degraded, kind_of
from services.agent.tests.conftest import LEAVE, LEAVE_QUESTION, PRICES, Bench

from agent.answering.searching.rewriting import fused
from agent.errors import ModelNotAnswerable
from agent.settings import AgentSettings
from agent.testing.scripted_answers import CAPABLE, PACKAGED, ScriptedModels, hit
from contracts.models.catalog import ModelInfo
from contracts.models.chat import ChatRequest
from servicekit.core.errors import RateLimited, UpstreamFailed


def bench(said: str, **more: Any) -> Bench:
    """Says one thing to who asks for queries, and the answer to who asks for that."""
    one = Bench(info=CAPABLE, **more)

    def script(request: ChatRequest) -> list[str]:
        return [said if "search engine" in request.messages[0].plain_text() else RIGHT]

    one.models = ScriptedModels(script, CAPABLE)
    return one


async def test_it_is_off_unless_asked_for() -> None:
    one = bench("holidays")
    await one.ask(LEAVE_QUESTION)
    assert [request.query for request in one.search.requests] == [LEAVE_QUESTION]
    assert len(one.models.requests) == 1


@pytest.mark.parametrize("rewrite", ["several", "hypothetical"])
async def test_what_the_model_writes_is_searched_for_too_and_told_in_the_receipt(rewrite: str) -> None:
    one = bench('1. "days of vacation"\n- annual holidays\n\n')
    answer = await one.ask(LEAVE_QUESTION, groundwork={**INCLUDE, "rewrite": rewrite})
    asked = [LEAVE_QUESTION, "days of vacation", "annual holidays"]
    assert sorted(request.query for request in one.search.requests) == sorted(asked)
    assert answer.groundwork is not None
    assert answer.groundwork.receipt is not None
    assert answer.groundwork.receipt.queries == asked
    assert kind_of(answer) == "generated"


async def test_a_rewritten_follow_up_takes_the_place_of_the_question_that_rules_made() -> None:
    one = bench("How long is the warranty of the Causeway G1 Solar?")
    await one.ask("How much does a Causeway G1 Solar cost?", "And the warranty?", groundwork={"rewrite": "follow_up"})
    assert [request.query for request in one.search.requests] == ["How long is the warranty of the Causeway G1 Solar?"]
    assert "Asked before: How much does" in one.models.requests[0].messages[1].plain_text()


async def test_a_first_question_is_no_follow_up() -> None:
    one = bench("something else")
    await one.ask(LEAVE_QUESTION, groundwork={"rewrite": "follow_up"})
    assert [request.query for request in one.search.requests] == [LEAVE_QUESTION]


@pytest.mark.parametrize("info", [PACKAGED, None])
async def test_without_a_model_that_can_the_question_is_searched_for(info: Any) -> None:
    one = Bench(says=RIGHT, info=info)
    answer = await one.ask(LEAVE_QUESTION, groundwork={**INCLUDE, "rewrite": "several"})
    assert [request.query for request in one.search.requests] == [LEAVE_QUESTION]
    assert "rewrite_unavailable" in degraded(answer)


async def test_a_model_that_is_late_is_done_without() -> None:
    late = Bench(info=CAPABLE, settings=AgentSettings(rewrite_seconds=0.05, first_token_seconds=0.05))
    late.models = ScriptedModels(lambda _: [], CAPABLE, never_ends=True)
    answer = await late.ask(LEAVE_QUESTION, groundwork={**INCLUDE, "rewrite": "several"})
    assert degraded(answer) == ["rewrite_timeout", "model_timeout"]
    assert kind_of(answer) == "extractive"
    assert late.models.closed == 2, "the model's work for it was ended"
    assert [request.query for request in late.search.requests] == [LEAVE_QUESTION]


@pytest.mark.parametrize("failure", [UpstreamFailed("broken"), RateLimited("Too many.", retry_after=3)])
async def test_only_a_decision_about_the_caller_ends_the_answer(failure: Any) -> None:
    one = bench("x")
    one.models.failure = failure
    if isinstance(failure, RateLimited):
        with pytest.raises(RateLimited):
            await one.ask(LEAVE_QUESTION, groundwork={"rewrite": "several"})
    else:
        answer = await one.ask(LEAVE_QUESTION, groundwork={**INCLUDE, "rewrite": "several"})
        assert "rewrite_unavailable" in degraded(answer)
        assert kind_of(answer) == "extractive"


def test_what_several_searches_find_comes_first() -> None:
    third = hit("Third.", "third")
    assert fused([[LEAVE, PRICES], [third, PRICES]], 2) == [PRICES, LEAVE]
    assert fused([[LEAVE]], 8) == [LEAVE]


async def test_a_list_of_models_that_cannot_be_had_costs_only_the_rewriting() -> None:
    class _Away(ScriptedModels):
        async def model(self, name: str | None, token: str) -> ModelInfo | None:
            raise UpstreamFailed("The model plane is away.")

    one = Bench()
    one.models = _Away()
    answer = await one.ask(LEAVE_QUESTION, groundwork={**INCLUDE, "rewrite": "several"})
    assert kind_of(answer) == "extractive"
    assert "rewrite_unavailable" in degraded(answer)
    assert [request.query for request in one.search.requests] == [LEAVE_QUESTION]


async def test_a_model_that_does_not_exist_is_told_when_it_should_rewrite() -> None:
    with pytest.raises(ModelNotAnswerable):
        await bench("x").ask(LEAVE_QUESTION, groundwork={"model": "gpt-9", "rewrite": "several"})
