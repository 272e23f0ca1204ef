"""The lab over a real database in a folder of the test's own: no sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pytest_socket import disable_socket

from lab.bootstrap import MIGRATIONS, assemble
from lab.dependencies import Dependencies
from lab.settings import LabSettings
from lab.tables import EVALUATION_JOBS
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
    return LabSettings(data_dir=tmp_path, question_sets_per_tenant=3, questions_per_tenant=50)


@pytest.fixture
async def opened(settings: LabSettings, clock: ManualClock) -> AsyncIterator[Dependencies]:
    database = Database.open(None, settings.data_dir, "lab")
    await migrate(database, MIGRATIONS)
    store = JobStore(database, EVALUATION_JOBS, clock, 15.0, LocalNotifier())
    yield assemble(settings, store, database.probe)
    await database.close()
