from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from tests.support.agent.service import serving
from tests.support.gateway.running import RunningGateway
from tests.support.inference import likely
from tests.support.inference.real import MODELS, running_with_inference

from groundwork.client import Groundwork
from groundwork.evaluation.benchmarks.scores import Method, NoProbabilities, Scored, score_all
from groundwork.evaluation.benchmarks.tasks import Task

pytestmark = pytest.mark.asyncio(loop_scope="module")
CAPITALS = [
    Task("1", "The capital of France is", ["Lyon", "Paris"], [1]),
    Task("2", "The capital of Spain is", ["Madrid", "Seville"], [0]),
    Task("3", "The largest city of Spain is not", ["Paris", "Seville"], [1]),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("benchmarks")
    async with serving(likely.app) as url, running_with_inference(folder, [*MODELS, likely.declared(url)]) as running:
        yield running


async def _scored(gateway: RunningGateway, model: str, tasks: Sequence[Task]) -> list[Scored]:
    def score() -> list[Scored]:
        with Groundwork(gateway.url, gateway.admin_key) as client:
            return score_all(client, Method(model), tasks, at_once=2, progress=lambda _: None)

    return await asyncio.to_thread(score)


async def test_choices_are_scored_by_a_server_that_tells_the_probabilities_of_prompts(gateway: RunningGateway) -> None:
    scored = await _scored(gateway, "likely", CAPITALS)
    assert [one.figures["accuracy"] for one in scored] == [1, 1, 0]
    assert list(scored[0].loglikelihoods) == [likely.UNKNOWN, likely.KNOWN["Paris"]]


async def test_an_engine_without_them_is_refused_with_what_to_do(gateway: RunningGateway) -> None:
    with pytest.raises(NoProbabilities, match=r"'talker' does not tell .* --generate"):
        await _scored(gateway, "talker", CAPITALS)


async def test_answers_in_words_are_asked_of_any_model(gateway: RunningGateway) -> None:
    (one,) = await _scored(gateway, "talker", [Task("1", "What is the capital of France?", answers=["Paris"])])
    assert (one.figures["answer_found"], one.figures["exact_match"]) == (1, 0)
