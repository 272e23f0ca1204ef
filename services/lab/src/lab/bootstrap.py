"""Builds the service: the only file that picks adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path

from fastapi import FastAPI

from lab.api import administration, evaluations, question_sets
from lab.dependencies import Dependencies
from lab.evaluations.runtime import open_evaluations
from lab.evaluations.service import Evaluations
from lab.questions.repository import Bounds
from lab.questions.service import QuestionSets
from lab.settings import LabSettings
from servicekit.core.probes import Probe
from servicekit.jobs.leased_job import JobStore
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate
from servicekit.web.app import build_app

MIGRATIONS = Path(__file__).parent / "migrations"


def assemble(settings: LabSettings, store: JobStore, worker: Probe) -> Dependencies:
    """The domain over this store and its database."""
    bounds = Bounds(settings.question_sets_per_tenant, settings.questions_per_tenant)
    sets = QuestionSets(store.database, store.clock, bounds)
    return Dependencies(store.database, sets, Evaluations(store, settings.evaluations_per_tenant), worker)


@asynccontextmanager
async def open_dependencies(settings: LabSettings) -> AsyncIterator[Dependencies]:
    """The real adapters, and the worker that asks, until the service ends."""
    database = Database.open(settings.database_url, settings.data_dir, "lab")
    try:
        await migrate(database, MIGRATIONS)
        async with open_evaluations(settings, database) as (store, worker):
            yield assemble(settings, store, worker.probe)
    finally:
        await database.close()


def create_app(settings: LabSettings, dependencies: Dependencies | None = None) -> FastAPI:
    """The app; with given dependencies, those are used and left open."""

    def opening() -> AbstractAsyncContextManager[Dependencies]:
        return open_dependencies(settings) if dependencies is None else nullcontext(dependencies)

    chosen: Callable[[], AbstractAsyncContextManager[Dependencies]] = opening
    routers = [question_sets.router, evaluations.router, administration.router]
    return build_app("lab", settings=settings, opening=chosen, routers=routers, probes=_probes)


def _probes(dependencies: Dependencies) -> Mapping[str, Probe]:
    return {"database": dependencies.database.probe, "evaluations": dependencies.worker}
