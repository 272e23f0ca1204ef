"""Evaluations over either database: several workers at once, and none that answers a question twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from pydantic import SecretStr
from services.lab.tests.evaluations.asking import ACME, Bench
from tests.support.home.postgres import postgres_installed, temporary_postgres

from lab.bootstrap import open_dependencies
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
