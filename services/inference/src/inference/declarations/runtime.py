"""What declares models while the service runs: by calls of administrators, and of tuning jobs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

from inference.catalog.identity import Identity
from inference.catalog.models_file import Model
from inference.declarations.adapters import AdapterRepository
from inference.declarations.publication import PublishedModels
from inference.declarations.repository import DeclarationRepository
from inference.declarations.restrictions import Restrictions
from inference.declarations.service import DeclaredModels
from inference.declarations.vectors import NamesOfVectors
from inference.serving.models import ServedModels
from inference.serving.served_model import Declaration
from inference.settings import InferenceSettings
from servicekit.core.clock import SystemClock
from servicekit.sql.database import Database


@asynccontextmanager
async def open_declared(
    settings: InferenceSettings,
    database: Database,
    file_models: Sequence[Declaration],
    served: ServedModels,
    restrictions: Restrictions,
    identify: Callable[[Model], Identity],
) -> AsyncGenerator[tuple[DeclaredModels, PublishedModels], None]:
    """Serve what is declared, and follow changes, while the block runs."""
    repository = DeclarationRepository(database, SystemClock())
    vectors = NamesOfVectors(repository, identify)
    declared = DeclaredModels(file_models, repository, restrictions, served, vectors, settings.follow_seconds)
    adapters = AdapterRepository(database, SystemClock())
    published = PublishedModels(declared, served, adapters, settings.tuned_models_per_tenant)
    try:
        await declared.open()
        yield declared, published
    finally:
        await declared.close()
        await served.close()
