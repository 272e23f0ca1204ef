"""The only place that picks adapters: for the API, and for a worker."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from extraction.formats.registry import Limits
from extraction.sandbox.extractor import MIN_SHARE, ParsingProcess
from ingest.blobs.claims import BlobClaims
from ingest.blobs.folder import FolderBlobs
from ingest.documents.deletions import Deletions
from ingest.export.reader import ArchiveLimits, Unpacking
from ingest.fetch.service import Fetching
from ingest.fetch.web_fetcher import WebFetcher
from ingest.jobs.authority import Authority
from ingest.jobs.gauges import keep_measuring
from ingest.jobs.ledger import Ledger
from ingest.peers.gateway import GatewayPlatform
from ingest.peers.retriever import RetrieverIndex
from ingest.ports import Bell, BlobStore, Fetcher, Index, Platform, TokenizerSource, TokenSource
from ingest.settings import IngestSettings
from ingest.steps.chunker_pool import CuttingThreads
from ingest.steps.pipeline import Pipeline
from ingest.steps.reader import Reader
from ingest.steps.rechunker import Recutting
from ingest.steps.reindex import Reindexing
from ingest.steps.sender import Sender
from ingest.steps.tenant_deletion import TenantDeletion
from ingest.worker.loop import WorkerLoop
from ingest.worker.slots import Slots
from servicekit.core.clock import Clock, SystemClock
from servicekit.core.disk import DiskRoom
from servicekit.core.errors import ServiceError
from servicekit.core.identifiers import new_id
from servicekit.core.probes import Degraded, Probe
from servicekit.peers.client import Peer, open_session
from servicekit.redis.client import open_redis
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate
from servicekit.web.app import DEFAULT_BODY_BYTES, build_app, server_for
from servicekit.web.body_limits import MULTIPART, Streamed

MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the API's routes use."""

    settings: IngestSettings
    database: Database
    blobs: BlobStore
    index: Index
    bell: Bell
    clock: Clock
    deletions: Deletions
    fetching: Fetching
    unpacking: Unpacking
    room: DiskRoom


def assemble(
    settings: IngestSettings,
    database: Database,
    blobs: BlobStore,
    index: Index,
    bell: Bell,
    clock: Clock,
    fetcher: Fetcher | None = None,
) -> Dependencies:
    """The API's domain over these adapters; documents by URL come from the web unless another `fetcher` is given."""
    deletions = Deletions(database, blobs, index, clock, _owner("api"))
    source = fetcher or WebFetcher(settings.address_policy(), settings.max_upload_bytes, settings.url_redirects)
    fetching = Fetching(source, settings.data_dir / "fetching", settings.url_fetches, settings.url_seconds)
    limits = ArchiveLimits(
        settings.max_archive_bytes, settings.max_text_chars, settings.restore_memory_bytes, settings.restore_seconds
    )
    unpacking = Unpacking(limits, settings.data_dir / "parsing")
    return Dependencies(settings, database, blobs, index, bell, clock, deletions, fetching, unpacking, _room(settings))


@asynccontextmanager
async def open_dependencies(settings: IngestSettings) -> AsyncIterator[Dependencies]:
    """Open everything that the API needs; Redis and the retriever need not be there."""
    from ingest.jobs.celery_app import make_celery
    from ingest.jobs.celery_notifier import CeleryBell

    async with (
        _database(settings) as database,
        open_blobs(settings, database) as blobs,
        open_session() as session,
    ):
        retriever = Peer("retriever", settings.retriever_url, session, restart_seconds=settings.restart_seconds)
        index = RetrieverIndex(retriever, settings.batch_seconds)
        redis = open_redis(settings.redis_url)
        bell = CeleryBell(make_celery(settings.redis_url), redis)
        measuring = asyncio.create_task(keep_measuring(database, SystemClock()))
        dependencies = assemble(settings, database, blobs, index, bell, SystemClock())
        try:
            yield dependencies
        finally:
            dependencies.unpacking.close()
            measuring.cancel()
            await asyncio.gather(measuring, return_exceptions=True)
            await asyncio.to_thread(bell.close)
            await redis.aclose()


def create_app(settings: IngestSettings | None = None, dependencies: Dependencies | None = None) -> FastAPI:
    """Ingest's API; with `dependencies`, which stay open, nothing else is opened."""
    from ingest.api import archives, batches, collections, documents, installation, jobs

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
        routers=[r.router for r in (collections, archives, documents, batches, jobs, installation)],
        probes=lambda opened: {
            "database": opened.database.probe,
            "blobs": opened.blobs.probe,
            "delegation_key": app.state.verifier.probe,
            "redis": opened.bell.probe,
            "retriever": _not_needed(opened.index.probe),
        },
        body_limit=limit,
    )
    return app


@dataclass(frozen=True, slots=True)
class WorkerDependencies:
    """What a worker is made of."""

    database: Database
    blobs: BlobStore
    ledger: Ledger
    slots: Slots
    loop: WorkerLoop
    parser: ParsingProcess
    cutting: CuttingThreads

    def close(self) -> None:
        """End the processes and threads that it has started."""
        self.cutting.close()
        self.parser.close()


def assemble_worker(
    settings: IngestSettings,
    database: Database,
    blobs: BlobStore,
    index: Index,
    tokens: TokenSource,
    tokenizers: TokenizerSource,
    platform: Platform,
    clock: Clock,
) -> WorkerDependencies:
    """A worker's domain over these adapters."""
    owner = _owner("worker")
    ledger = Ledger(database, clock, settings.lease_seconds)
    parser = _parser(settings)
    cutting = CuttingThreads(settings.worker_slots, settings.cut_seconds)
    reader = Reader(ledger, blobs, parser, cutting)
    authority = Authority(tokens)
    recutting = Recutting(ledger, blobs, index, authority, tokenizers, cutting, settings.batch_chunks)
    sender = Sender(ledger, index, authority)
    pipeline = Pipeline(
        ledger, reader, sender, index, authority, tokenizers, recutting, settings.batch_chunks, settings.kept_revisions
    )
    reindexing = Reindexing(ledger, index, authority, recutting)
    deletions = Deletions(database, blobs, index, clock, owner, settings.lease_seconds)
    slots = Slots(
        ledger,
        pipeline,
        reindexing,
        deletions,
        TenantDeletion(deletions, platform, settings.tenant_deletion_seconds),
        parser.version,
        settings.max_wait_seconds,
        settings.max_attempts,
        _room(settings),
    )
    loop = WorkerLoop(ledger, slots, owner, settings.worker_slots, settings.poll_seconds)
    return WorkerDependencies(database, blobs, ledger, slots, loop, parser, cutting)


def _parser(settings: IngestSettings) -> ParsingProcess:
    scratch = settings.data_dir / "parsing"
    scratch.mkdir(parents=True, exist_ok=True)
    return ParsingProcess(
        Limits(settings.max_pages, settings.max_text_chars),
        settings.parse_seconds,
        settings.parse_memory_bytes,
        scratch,
        share_bytes=max(MIN_SHARE, settings.parse_total_bytes // settings.worker_slots),
        total_bytes=settings.parse_total_bytes,
    )


@asynccontextmanager
async def open_worker(settings: IngestSettings) -> AsyncIterator[WorkerDependencies]:
    """Open everything that a worker needs; no other service need be there."""
    from ingest.peers.inference import InferenceTokenizers
    from servicekit.auth.grants import GrantExchange

    async with (
        _database(settings) as database,
        open_blobs(settings, database) as blobs,
        open_session() as session,
    ):
        index = RetrieverIndex(Peer("retriever", settings.retriever_url, session), settings.batch_seconds)
        gateway = Peer("gateway", settings.gateway_url, session)
        tokens, platform = GrantExchange(gateway, "documents"), GatewayPlatform(gateway)
        inference = Peer("inference", settings.inference_url, session)
        tokenizers = InferenceTokenizers(inference, settings.data_dir / "tokenizers")
        worker = assemble_worker(settings, database, blobs, index, tokens, tokenizers, platform, SystemClock())
        try:
            yield worker
        finally:
            worker.close()


async def run_worker(settings: IngestSettings) -> None:
    """Work until SIGTERM or SIGINT, with health and metrics on the worker's port and wake-ups from Redis."""
    from ingest.worker.consumer import WakeupConsumer
    from ingest.worker.housekeeping import keep_swept
    from ingest.worker.watchdog import Watchdog

    events = asyncio.get_running_loop()
    async with open_worker(settings) as worker:
        for number in (signal.SIGTERM, signal.SIGINT):
            events.add_signal_handler(number, worker.loop.stop)
        name = _owner("worker")
        consumer = WakeupConsumer(settings.redis_url, name, lambda: _from_thread(events, worker.loop))
        consumer.start()
        watchdog = Watchdog(lambda: worker.loop.silent_seconds, settings.stuck_seconds)
        watchdog.start()
        sweeping = asyncio.create_task(
            keep_swept(worker.database, worker.blobs, worker.parser, settings.jobs_kept_days)
        )
        app = worker_app(settings, worker)
        serving = asyncio.create_task(server_for(app, settings, port=settings.worker_port).serve())
        serving.add_done_callback(lambda _: worker.loop.stop())  # a signal reaches the server first
        worker.loop.when_stopping(watchdog.stop)
        try:
            await worker.loop.run(settings.shutdown_seconds)
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)
            await asyncio.to_thread(watchdog.stop)
            await asyncio.to_thread(consumer.stop)
        await serving


def worker_app(settings: IngestSettings, worker: WorkerDependencies) -> FastAPI:
    """A worker's health and metrics."""
    return build_app(
        "ingest",
        settings=settings,
        opening=lambda: nullcontext(worker),
        routers=[],
        probes=_worker_probes,
    )


def _worker_probes(worker: WorkerDependencies) -> Mapping[str, Probe]:
    return {"database": worker.database.probe, "blobs": worker.blobs.probe, "loop": worker.loop.probe}


def _from_thread(events: asyncio.AbstractEventLoop, loop: WorkerLoop) -> None:
    if not events.is_closed():
        events.call_soon_threadsafe(loop.ring)


@asynccontextmanager
async def _database(settings: IngestSettings) -> AsyncIterator[Database]:
    database = Database.open(settings.database_url, settings.data_dir, "ingest")
    try:
        await migrate(database, MIGRATIONS)
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_blobs(settings: IngestSettings, database: Database) -> AsyncIterator[BlobStore]:
    """Where bytes are kept. On S3 the ledger holds the claims on them; a store that is away opens all the same."""
    if (folder := settings.blobs_folder()) is not None:
        yield FolderBlobs(folder)
        return
    from ingest.blobs.s3 import S3Blobs
    from ingest.blobs.s3_calls import S3Calls

    place = settings.s3_place()
    calls = await asyncio.to_thread(S3Calls, place)
    try:
        yield S3Blobs(calls, place, BlobClaims(database, SystemClock()), settings.data_dir / "blob-copies")
    finally:
        calls.close()


def _room(settings: IngestSettings) -> DiskRoom:
    """Of the disk that originals and texts are kept on, or at least what is being read of them."""
    return DiskRoom(settings.blobs_folder() or settings.data_dir, settings.disk_reserve_bytes)


def _owner(role: str) -> str:
    """A name that no other process and no later process with the same number has."""
    return f"{role}@{socket.gethostname()[:40]}:{os.getpid()}:{new_id('p')[-8:]}"


def _not_needed(probe: Probe) -> Probe:
    """Uploads are accepted while this part is away, so that it is shown but is no reason to be unready."""

    async def shown() -> None:
        try:
            await probe()
        except ServiceError as error:
            raise Degraded(f"{error.message} Uploads are accepted; their jobs wait.") from None

    return shown
