"""Splits on two replicas, with SQLite and PostgreSQL: one guard acts, all replicas follow, and one call goes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from services.gateway.tests.usage.recording import record_of, write_records
from sqlalchemy import literal, select
from tests.support.home.postgres import postgres_installed, temporary_postgres

from contracts.models.routes import RouteSpec
from gateway.bootstrap import MIGRATIONS
from gateway.experiments.service import Experiments
from gateway.routing.repository import READ_SECONDS, RouteRepository
from gateway.storage.audit_log import Actor, list_audit_entries
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

DATABASES = ["sqlite", *(["postgres"] if postgres_installed() else [])]
ACTOR = Actor("key_admin")
SPEC = {"targets": [{"model": "m"}, {"model": "o"}], "split_by": "call", "guard": {"metric": "error_rate"}}
RATINGS = select(literal("acme").label("tenant"), literal("a").label("answer_id"), literal(0.5).label("rating"))


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with temporary_postgres() as url:
        yield url


@pytest.fixture(params=DATABASES)
async def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Experiments]]:
    url = SecretStr(request.getfixturevalue("postgres")) if request.param == "postgres" else None
    opened = [Database.open(url, tmp_path, "gateway") for _ in range(2)]
    await migrate(opened[0], MIGRATIONS)
    clock, ratings = ManualClock(), RATINGS.subquery()
    yield [Experiments(one, RouteRepository(one, clock), clock, ratings) for one in opened]
    for one in opened:
        await one.close()


async def test_of_two_replicas_one_ends_a_worse_variant_and_one_call_takes_it_up_again(
    replicas: list[Experiments],
) -> None:
    first, second = replicas
    clock, route = first.clock, RouteSpec.model_validate(SPEC)
    assert isinstance(clock, ManualClock)
    await asyncio.gather(*(one.routes.update_route("smart", route, ACTOR) for one in replicas))
    split = {"split": "smart", "split_version": 1, "started_at": clock.now(), "answer_id": "a"}
    failures = {"m": 2, "o": 40}
    await write_records(
        first.database,
        *(
            record_of(**split, variant=name, unit=f"{name}{at}", failed=at < failed)
            for name, failed in failures.items()
            for at in range(80)
        ),
    )
    shown = await second.get_experiment("smart", None)
    assert [one.measures["rating"].value for one in shown.variants] == [0.5, 0.5]
    await asyncio.gather(*(one.look() for one in replicas))
    clock.advance(READ_SECONDS)
    for one in replicas:
        active = (await one.routes.list_routes())["smart"]
        assert (active.version, [target.weight for target in active.targets]) == (2, [1, 0])
    noted = [one.action for one in (await list_audit_entries(first.database, 10, None, "smart")).data]
    assert noted == ["route.guard", "route.put"]
    await second.routes.activate_version("smart", 1, ACTOR)
    clock.advance(READ_SECONDS)
    assert [(await one.routes.list_routes())["smart"].version for one in replicas] == [1, 1]


async def test_changes_at_once_on_two_replicas_are_versions_one_after_the_other(replicas: list[Experiments]) -> None:
    specs = [RouteSpec.model_validate({"targets": [{"model": name}]}) for name in "abcdef"]
    changes = [replicas[at % 2].routes.update_route("new", spec, ACTOR) for at, spec in enumerate(specs)]
    await asyncio.gather(*changes)
    versions = (await replicas[0].routes.list_versions("new", 10, None)).data
    assert [one.version for one in versions] == [6, 5, 4, 3, 2, 1]
    assert [one.active for one in versions] == [True, *[False] * 5]
