"""Runs that make questions over either database: several workers at once, and each passage comes to one thing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from pydantic import SecretStr
from services.lab.tests.generation.asking import ACME, OWNER, Bench
from tests.support.home.postgres import postgres_installed, temporary_postgres

from contracts.improvement.question_generation import GenerationReview
from lab.bootstrap import open_dependencies
from lab.settings import LabSettings

RUNS = 4


@pytest.fixture(params=["sqlite", "postgresql"])
async def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Bench, Bench]]:
    if request.param == "postgresql" and not postgres_installed():
        pytest.skip("PostgreSQL is not installed")
    with temporary_postgres() if request.param == "postgresql" else nullcontext("") as url:
        settings = LabSettings(
            data_dir=tmp_path,
            database_url=SecretStr(url) if url else None,
            evaluation_slots=0,
            generation_slots=0,
        )
        async with open_dependencies(settings) as one, open_dependencies(settings) as other:
            yield Bench(one), Bench(other)


async def test_workers_of_two_replicas_share_the_runs_and_what_is_made_is_reviewed_saved_and_deleted(
    replicas: tuple[Bench, Bench],
) -> None:
    one, other = replicas
    started = [await one.start(f"set{at}", near_misses=2) for at in range(RUNS)]

    async def work(bench: Bench, owner: str) -> int:
        count = 0
        while await bench.work(owner):
            count += 1
        return count

    assert sum(await asyncio.gather(work(one, "one"), work(other, "other"))) == RUNS
    for at, run in enumerate(started):
        shown = await other.shown(run, f"set{at}")
        assert (shown.status, shown.kept, shown.kept_near_misses) == ("completed", 4, 2)
    generations = one.opened.generations
    await generations.review(ACME, "set0", started[0], GenerationReview(accept_all=True))
    savers = [bench.opened.generations.save(ACME, OWNER, "set0", started[0]) for bench in replicas]
    saved = await asyncio.gather(*savers)
    assert {version.version for version, _ in saved} == {1}, "two savers of the same make one version"
    await generations.delete_document("acme", "handbook", "pumps")
    assert {item.reason for item in await other.items(started[1], "stale", "set1")} == {"document_deleted"}
    assert "stale" not in (await other.shown(started[0], "set0")).states, "it is saved"
    assert len((await other.opened.generations.list(ACME, "set1", 9, None)).data) == 1
    await generations.delete(ACME, "set0", started[0])
    await generations.delete_tenant("acme")
    assert (await other.opened.question_sets.get(ACME, "set0")).questions == 6
