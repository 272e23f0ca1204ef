"""Evaluations over either database: several workers at once, and none that answers a question twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from services.lab.tests.evaluations.asking import ACME, Bench, right
from tests.support.home.postgres import postgres_installed, temporary_postgres

from contracts.improvement.question_sets import QuestionRecord
from lab.bootstrap import open_dependencies
from lab.evaluations.target import Answered
from lab.settings import LabSettings

EVALUATIONS = 6


@pytest.fixture(params=["sqlite", "postgresql"])
async def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Bench, Bench]]:
    if request.param == "postgresql" and not postgres_installed():
        pytest.skip("PostgreSQL is not installed")
    with temporary_postgres() if request.param == "postgresql" else nullcontext("") as url:
        settings = LabSettings(data_dir=tmp_path, database_url=SecretStr(url) if url else None, evaluation_slots=0)
        async with open_dependencies(settings) as one, open_dependencies(settings) as other:
            yield Bench(one), Bench(other)


async def test_workers_of_two_replicas_share_the_evaluations_and_answer_each_question_once(
    replicas: tuple[Bench, Bench],
) -> None:
    one, other = replicas
    started = [await one.start(5) for _ in range(EVALUATIONS)]

    async def work(bench: Bench, owner: str) -> int:
        count = 0
        while await bench.work(owner):
            count += 1
        return count

    done = await asyncio.gather(work(one, "one"), work(other, "other"))
    assert sum(done) == EVALUATIONS
    for evaluation in started:
        found = await other.opened.evaluations.get(ACME, evaluation)
        assert (found.status, found.done) == ("completed", 5)
        answers = (await one.opened.evaluations.list_answers(ACME, evaluation, 10, None)).data
        assert len({answer.question_id for answer in answers}) == 5
    asked = one.target.asked + other.target.asked
    assert set(asked.values()) == {EVALUATIONS}
    compared = await one.opened.evaluations.compare(ACME, started[0], started[1])
    assert {measure.verdict for measure in compared.measures} == {"no difference"}
    page = await one.opened.evaluations.list(ACME, 4, None, None, "completed")
    rest = await one.opened.evaluations.list(ACME, 4, page.next_cursor, None, "completed")
    assert {each.id for each in (*page.data, *rest.data)} == set(started)


async def test_the_worst_answers_come_first_in_either_database(replicas: tuple[Bench, Bench]) -> None:
    bench, _ = replicas
    good = await bench.start(5)
    await bench.work()
    times = {"Question 1?": 900.0, "Question 2?": 20.5, "Question 3?": 20.5}

    def slow(question: QuestionRecord, _: int) -> Answered:
        return replace(right(question), latency_ms=times.get(question.question or "", 1.0))

    bench.target.script = slow
    slower = await bench.start(5)
    await bench.work()

    async def worst(evaluation: str, other: str | None = None, measure: str = "latency_ms") -> list[str | None]:
        found, cursor = list[str | None](), None
        while True:
            page = await bench.opened.evaluations.list_answers(ACME, evaluation, 1, cursor, measure, other)
            found += [one.question for one in page.data]
            if (cursor := page.next_cursor) is None:
                return found

    assert await worst(slower) == ["Question 1?", "Question 2?", "Question 3?", "Question 4?", "Nobody knows?"]
    assert await worst(slower, good) == ["Question 1?", "Question 2?", "Question 3?"]
    assert await worst(good, slower) == ["Question 4?", "Nobody knows?"]
    assert await worst(slower, None, "abstained") == ["Nobody knows?"]
