from __future__ import annotations

from typing import Any

import pytest
from services.agent.tests.answering.answers import INCLUDE, RIGHT, degraded, kind_of
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, chat_request, content_of, delegation

from agent.questions.conversation import read_conversation
from agent.settings import AgentSettings
from agent.testing.scripted_answers import CAPABLE, PACKAGED, ScriptedModels, echo
from servicekit.core.errors import QueueFull, RateLimited, ServiceError, UpstreamFailed


@pytest.mark.parametrize("failure", [UpstreamFailed("broken"), QueueFull("full", retry_after=1)])
@pytest.mark.parametrize("fail_after", [0, 2])
@pytest.mark.parametrize("info", [PACKAGED, CAPABLE])
async def test_no_model_is_no_reason_for_no_answer(failure: ServiceError, fail_after: int, info: Any) -> None:
    bench = Bench(info=info)
    bench.models = ScriptedModels(echo(""), info, failure=failure, fail_after=fail_after)
    answer = await bench.ask(LEAVE_QUESTION, groundwork=INCLUDE)
    assert kind_of(answer) == "extractive"
    assert "model_unavailable" in degraded(answer) or "draft_unsupported" in degraded(answer)


async def test_no_model_at_all_and_no_embeddings_still_answer() -> None:
    bench = Bench(info=None)
    bench.models.embedding_failure = UpstreamFailed("broken")
    answer = await bench.ask(LEAVE_QUESTION, groundwork=INCLUDE)
    assert "27 days" in content_of(answer)
    assert degraded(answer) == ["embeddings_unavailable", "model_unavailable"]


async def test_a_limit_of_the_key_is_told_and_not_hidden_by_a_fallback() -> None:
    bench = Bench()
    bench.models.failure = RateLimited("Too many.", retry_after=3)
    with pytest.raises(RateLimited):
        await bench.ask(LEAVE_QUESTION)


async def test_a_slow_model_ends_in_an_extractive_answer() -> None:
    bench = Bench(settings=AgentSettings(first_token_seconds=0.05))
    bench.models.never_ends = True
    answer = await bench.ask(LEAVE_QUESTION, groundwork=INCLUDE)
    assert (kind_of(answer), degraded(answer)) == ("extractive", ["model_timeout"])
    assert bench.models.closed == 1


async def test_a_model_that_does_not_exist_is_told() -> None:
    with pytest.raises(ServiceError) as caught:
        await Bench().ask(LEAVE_QUESTION, groundwork={"model": "gpt-9"})
    assert (caught.value.http_status, caught.value.code) == (404, "model_not_found")


async def test_leaving_early_ends_the_models_work() -> None:
    bench = Bench(says=RIGHT, info=CAPABLE)
    bench.models.never_ends = True
    events = _events(bench)
    seen = 0
    async for _ in events:
        seen += 1
        if seen == 3:
            break
    await events.aclose()
    assert bench.models.closed == 1


def _events(bench: Bench) -> Any:
    request = chat_request(LEAVE_QUESTION)
    return bench.answering.events(read_conversation(request, delegation()), request, "token", "req_1")
