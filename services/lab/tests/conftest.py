"""The lab over a real database in a folder of the test's own: no sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pytest_socket import disable_socket
from services.lab.tests.generation.asking import Library, Meter

from lab.bootstrap import MIGRATIONS, open_sets
from lab.dependencies import Dependencies
from lab.evaluations.service import Evaluations
from lab.generation.publication import Publication
from lab.generation.service import Generations
from lab.settings import LabSettings
from lab.tables import EVALUATION_JOBS, GENERATION_JOBS
from servicekit.core.clock import ManualClock
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.notifier import LocalNotifier
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    disable_socket(allow_unix_socket=True)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def settings(tmp_path: Path) -> LabSettings:
    return LabSettings(data_dir=tmp_path, question_sets_per_tenant=3, questions_per_tenant=50, generations_per_tenant=4)


@pytest.fixture
async def opened(settings: LabSettings, clock: ManualClock) -> AsyncIterator[Dependencies]:
    database = Database.open(None, settings.data_dir, "lab")
    await migrate(database, MIGRATIONS)
    asked, made = (
        JobStore(database, jobs, clock, 15.0, LocalNotifier()) for jobs in (EVALUATION_JOBS, GENERATION_JOBS)
    )
    sets = open_sets(settings, database, clock)
    evaluations = Evaluations(asked, settings.evaluations_per_tenant)
    generations = Generations(made, Publication(sets, Library()), Meter(), settings.generations_per_tenant)
    yield Dependencies(database, sets, evaluations, generations, {"evaluations": database.probe})
    await database.close()
