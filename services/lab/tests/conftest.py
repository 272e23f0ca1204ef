"""The lab over a real database in a folder of the test's own: no sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pytest_socket import disable_socket
from services.lab.tests.evaluations.asking import ScriptedGrants, ScriptedTarget
from services.lab.tests.generation.asking import Library, Meter
from services.lab.tests.sweeps.sweeping import IndexGrants, ScriptedCollections
from services.lab.tests.tuning.learning import Ledger, ScriptedMethod, ScriptedPublisher
from tests.support.sql.migrated import open_migrated

from lab.bootstrap import MIGRATIONS, open_sets
from lab.dependencies import Dependencies
from lab.evaluations.judging.live import LiveJudge
from lab.evaluations.service import Evaluations
from lab.generation.publication import Publication
from lab.generation.service import Generations
from lab.settings import LabSettings
from lab.sweeps.indexes import Indexes
from lab.sweeps.service import Sweeps
from lab.tables import EVALUATION_JOBS, GENERATION_JOBS, TRIAL_JOBS, TUNING_JOBS
from lab.tuning.charges import Charges
from lab.tuning.folders import JobFolders
from lab.tuning.runtime import room_of
from lab.tuning.service import Tuning
from servicekit.core.clock import ManualClock
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.notifier import LocalNotifier


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    disable_socket(allow_unix_socket=True)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def settings(tmp_path: Path) -> LabSettings:
    bounds = {"question_sets_per_tenant": 3, "questions_per_tenant": 50, "generations_per_tenant": 4}
    return LabSettings(data_dir=tmp_path, tuning_jobs_per_tenant=2, tuning_jobs_kept=6, tuning_bytes_kept=100, **bounds)


@pytest.fixture
def method() -> ScriptedMethod:
    return ScriptedMethod()


@pytest.fixture
def scripted() -> ScriptedTarget:
    """What the judge of live answers asks."""
    return ScriptedTarget()


@pytest.fixture
async def opened(
    settings: LabSettings, clock: ManualClock, method: ScriptedMethod, scripted: ScriptedTarget
) -> AsyncIterator[Dependencies]:
    database = await open_migrated(settings.data_dir, "lab", MIGRATIONS)
    tables = (EVALUATION_JOBS, TRIAL_JOBS, GENERATION_JOBS, TUNING_JOBS)
    asked, swept, made, tuned = (JobStore(database, jobs, clock, 15.0, LocalNotifier()) for jobs in tables)
    sets = open_sets(settings, database, clock)
    evaluations = Evaluations(asked, settings.evaluations_per_tenant)
    collections = ScriptedCollections()
    sweeps = Sweeps(
        swept, Indexes(collections, IndexGrants(collections)), settings.sweeps_per_tenant, settings.sweeps_chunks
    )
    generations = Generations(made, Publication(sets, Library()), Meter(), settings.generations_per_tenant)
    folders = JobFolders(settings.data_dir / "tuning")
    charges = Charges(database, Ledger(), clock)
    tuning = Tuning(
        tuned, {method.name: method}, folders, room_of(settings), ScriptedPublisher(), charges, works_here=True
    )
    probes = {"evaluations": database.probe, "tuning": database.probe}
    judge = LiveJudge(scripted, ScriptedGrants(scripted))
    yield Dependencies(database, sets, evaluations, sweeps, judge, generations, tuning, probes)
    await database.close()
