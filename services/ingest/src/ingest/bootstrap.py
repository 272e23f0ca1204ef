"""The only place that picks the API's adapters; `worker/bootstrap.py` does it for a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from fastapi import FastAPI

from ingest.dependencies import Dependencies
from ingest.documents.deletions import Deletions
from ingest.documents.intake import Intake
from ingest.export.reader import ArchiveLimits, ArchiveReader
from ingest.fetch.service import FetchService
from ingest.fetch.web_fetcher import WebFetcher
from ingest.jobs.gauges import keep_measuring
from ingest.peers.retriever import RetrieverIndex
from ingest.pictures.service import PagePictures, PictureLimits
from ingest.ports import BlobStore, Fetcher, Index, Notifier
from ingest.settings import IngestSettings
from ingest.stores import disk_room, open_blobs, open_database, process_name
from servicekit.core.clock import Clock, SystemClock
from servicekit.core.errors import ServiceError
from servicekit.core.probes import Degraded, Probe
from servicekit.peers.client import Peer, open_session
from servicekit.redis.client import open_redis
from servicekit.sql.database import Database
from servicekit.web.app import DEFAULT_BODY_BYTES, build_app
from servicekit.web.body_limits import MULTIPART, Streamed


def assemble(
    settings: IngestSettings,
    database: Database,
    blobs: BlobStore,
    index: Index,
    notifier: Notifier,
    clock: Clock,
    fetcher: Fetcher | None = None,
) -> Dependencies:
    """The API's domain over these adapters; documents by URL come from the web unless another `fetcher` is given."""
    intake = Intake(database, blobs, notifier, clock)
    deletions = Deletions(database, blobs, index, clock, process_name("api"))
    source = fetcher or WebFetcher(settings.address_policy(), settings.max_upload_bytes, settings.url_redirects)
    fetches = FetchService(source, settings.data_dir / "fetching", settings.url_fetches, settings.url_seconds)
    limits = ArchiveLimits(
        settings.max_archive_bytes, settings.max_text_chars, settings.restore_memory_bytes, settings.restore_seconds
    )
    archives = ArchiveReader(limits, settings.data_dir / "parsing")
    cost = PictureLimits(settings.picture_memory_bytes, settings.picture_seconds)
    pictures = PagePictures(blobs, cost, settings.data_dir / "parsing")
    room = disk_room(settings)
    return Dependencies(
        settings, database, blobs, index, notifier, clock, intake, deletions, fetches, archives, pictures, room
    )


@asynccontextmanager
async def open_dependencies(settings: IngestSettings) -> AsyncIterator[Dependencies]:
    """Open everything that the API needs; Redis and the retriever need not be there."""
    from ingest.jobs.celery_app import make_celery
    from ingest.jobs.celery_notifier import CeleryNotifier

    async with (
        open_database(settings) as database,
        open_blobs(settings, database) as blobs,
        open_session() as session,
    ):
        retriever = Peer("retriever", settings.retriever_url, session, restart_seconds=settings.restart_seconds)
        index = RetrieverIndex(retriever, settings.batch_seconds)
        redis = open_redis(settings.redis_url)
        notifier = CeleryNotifier(make_celery(settings.redis_url), redis)
        measuring = asyncio.create_task(keep_measuring(database, SystemClock()))
        dependencies = assemble(settings, database, blobs, index, notifier, SystemClock())
        try:
            yield dependencies
        finally:
            dependencies.archives.close()
            dependencies.pictures.close()
            measuring.cancel()
            await asyncio.gather(measuring, return_exceptions=True)
            await asyncio.to_thread(notifier.close)
            await redis.aclose()


def create_app(settings: IngestSettings | None = None, dependencies: Dependencies | None = None) -> FastAPI:
    """Ingest's API; with `dependencies`, which stay open, nothing else is opened."""
    from ingest.api import archives, batches, collections, documents, installation, jobs, pictures

    chosen = settings or IngestSettings()

    text_limit = min(DEFAULT_BODY_BYTES, chosen.max_upload_bytes)

    def limit(path: str, media_type: str) -> int:
        if path.endswith("/documents:restore"):
            return Streamed(chosen.max_archive_bytes)
        return Streamed(chosen.max_upload_bytes) if media_type == MULTIPART else text_limit

    def opening() -> AbstractAsyncContextManager[Dependencies]:
        return open_dependencies(chosen) if dependencies is None else nullcontext(dependencies)

    app = build_app(
        "ingest",
        settings=chosen,
        opening=opening,
        routers=[r.router for r in (collections, archives, documents, pictures, batches, jobs, installation)],
        probes=lambda opened: {
            "database": opened.database.probe,
            "blobs": opened.blobs.probe,
            "delegation_key": app.state.verifier.probe,
            "redis": opened.notifier.probe,
            "retriever": _not_needed(opened.index.probe),
        },
        body_limit=limit,
    )
    return app


def _not_needed(probe: Probe) -> Probe:
    """Uploads are accepted while this part is away, so that it is shown but is no reason to be unready."""

    async def shown() -> None:
        try:
            await probe()
        except ServiceError as error:
            raise Degraded(f"{error.message} Uploads are accepted; their jobs wait.") from None

    return shown
