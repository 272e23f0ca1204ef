"""Builds the service: the only file that picks adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path

from fastapi import FastAPI

from lab.api import administration, evaluations, generations, judgements, question_sets, sweeps, tuning
from lab.dependencies import Dependencies
from lab.evaluations.runtime import evaluation_jobs, live_judge
from lab.evaluations.service import Evaluations
from lab.generation.runtime import generation_parts
from lab.once import pruning
from lab.questions.repository import Bounds
from lab.questions.service import QuestionSets
from lab.settings import LabSettings
from lab.sweeps.runtime import trial_parts
from lab.tables import EVALUATION_JOBS, GENERATION_JOBS, TRIAL_JOBS, TUNING_JOBS
from lab.tuning.runtime import tuning_parts
from lab.workers import open_peers, open_store, open_worker
from servicekit.core.clock import Clock
from servicekit.core.probes import Probe
from servicekit.peers.client import Peer
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate
from servicekit.web.app import build_app

MIGRATIONS = Path(__file__).parent / "migrations"


def open_sets(settings: LabSettings, database: Database, clock: Clock) -> QuestionSets:
    """The question sets in this database."""
    bounds = Bounds(settings.question_sets_per_tenant, settings.questions_per_tenant)
    return QuestionSets(database, clock, bounds)


@asynccontextmanager
async def open_dependencies(settings: LabSettings) -> AsyncIterator[Dependencies]:
    """The real adapters, and the workers, until the service ends."""
    database = Database.open(settings.database_url, settings.data_dir, "lab")
    try:
        await migrate(database, MIGRATIONS)
        async with AsyncExitStack() as stack:
            peers = await stack.enter_async_context(open_peers(settings))
            yield await _open(settings, database, *peers, stack)
    finally:
        await database.close()


async def _open(
    settings: LabSettings, database: Database, gateway: Peer, inference: Peer, stack: AsyncExitStack
) -> Dependencies:
    """What is done with the database, and a worker for each kind of job."""
    tables = (EVALUATION_JOBS, TRIAL_JOBS, GENERATION_JOBS, TUNING_JOBS)
    asked, swept, made, tuned = (open_store(settings, database, jobs) for jobs in tables)
    sets = open_sets(settings, database, asked.clock)
    generations, generation_jobs = generation_parts(settings, made, sets, gateway)
    tunings, tuning_jobs, chores = tuning_parts(settings, tuned, gateway, inference)
    evaluation = evaluation_jobs(settings, gateway)
    evaluations = Evaluations(asked, settings.evaluations_per_tenant)
    trials, trial_jobs, releasing = trial_parts(settings, swept, evaluations, gateway)
    opened = {
        "evaluations": open_worker(settings, "evaluations", asked, evaluation, settings.evaluation_slots),
        "sweeps": open_worker(settings, "sweeps", swept, trial_jobs, settings.sweeps_slots, [releasing]),
        "question_generation": open_worker(
            settings, "question_generation", made, generation_jobs, settings.generation_slots
        ),
        "tuning": open_worker(settings, "tuning", tuned, tuning_jobs, settings.tuning_slots, [*chores, pruning(tuned)]),
    }
    workers = {name: (await stack.enter_async_context(worker)).probe for name, worker in opened.items()}
    judge = live_judge(settings, gateway)
    return Dependencies(database, sets, evaluations, trials, judge, generations, tunings, workers)


def create_app(settings: LabSettings, dependencies: Dependencies | None = None) -> FastAPI:
    """The app; with given dependencies, those are used and left open."""

    def opening() -> AbstractAsyncContextManager[Dependencies]:
        return open_dependencies(settings) if dependencies is None else nullcontext(dependencies)

    chosen: Callable[[], AbstractAsyncContextManager[Dependencies]] = opening
    subjects = (question_sets, generations, evaluations, sweeps, judgements, tuning, administration)
    routers = [each.router for each in subjects]
    return build_app("lab", settings=settings, opening=chosen, routers=routers, probes=_probes)


def _probes(dependencies: Dependencies) -> Mapping[str, Probe]:
    return {"database": dependencies.database.probe, **dependencies.workers}
