"""The only place that picks a worker's adapters, and its life from start to signal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from extraction.model.limits import Limits
from extraction.sandbox.extractor import MIN_SHARE, SandboxedExtractor
from ingest.documents.deletions import Deletions
from ingest.jobs.authority import Authority
from ingest.jobs.leased_job import IngestJob
from ingest.jobs.lifecycle import SHOWN
from ingest.peers.gateway import GatewayPlatform
from ingest.peers.inference import InferenceTokenizers
from ingest.peers.retriever import RetrieverIndex
from ingest.ports import BlobStore, Index, Platform, TokenizerSource, TokenSource
from ingest.settings import IngestSettings
from ingest.steps.chunker_pool import ChunkerPool
from ingest.steps.pipeline import Pipeline
from ingest.steps.reader import Reader
from ingest.steps.rechunker import Rechunker
from ingest.steps.reindex import Reindexer
from ingest.steps.sender import Sender
from ingest.steps.tenant_deletion import TenantDeletion
from ingest.stores import disk_room, open_blobs, open_database, process_name
from ingest.tables import ANSWERS, INGEST_JOBS, JOBS, WORKERS
from ingest.worker.consumer import WakeupConsumer
from ingest.worker.housekeeping import run_housekeeping
from ingest.worker.kind import IngestJobs, JobObserver
from ingest.worker.watchdog import Watchdog
from servicekit.auth.grants import GrantExchange
from servicekit.core.clock import Clock, SystemClock
from servicekit.core.probes import Probe
from servicekit.jobs.fairness import SlotShares
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.notifier import LocalNotifier
from servicekit.jobs.outcomes import RetryPolicy
from servicekit.jobs.queue import Queue
from servicekit.jobs.runner import Runner
from servicekit.jobs.worker import Chore, Worker
from servicekit.jobs.worker_registry import ANNOUNCE_SECONDS, WorkerRegistry
from servicekit.peers.client import Peer, open_session
from servicekit.sql.database import Database
from servicekit.web.app import build_app, server_for

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerDependencies:
    """What a worker is made of."""

    database: Database
    blobs: BlobStore
    registry: WorkerRegistry
    kind: IngestJobs
    queue: Queue[IngestJob]
    runner: Runner[IngestJob]
    loop: Worker[IngestJob]
    parser: SandboxedExtractor
    cutting: ChunkerPool

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
    owner = process_name("worker")
    parser = _parser(settings)
    cutting = ChunkerPool(settings.worker_slots, settings.cut_seconds)
    deletions = Deletions(database, blobs, index, clock, owner, settings.lease_seconds)
    tenant_deletion = TenantDeletion(deletions, platform, settings.tenant_deletion_seconds)
    authority = Authority(tokens)
    rechunker = Rechunker(blobs, index, authority, tokenizers, cutting, settings.batch_chunks)
    reader, sender = Reader(blobs, parser, cutting), Sender(index, authority)
    sizes = settings.batch_chunks, settings.kept_revisions
    pipeline = Pipeline(reader, sender, index, authority, tokenizers, rechunker, *sizes)
    policy = RetryPolicy(settings.max_attempts, settings.max_wait_seconds)
    reindexer = Reindexer(index, authority, rechunker)
    kind = IngestJobs(pipeline, reindexer, deletions, tenant_deletion, parser.version, policy, disk_room(settings))
    store = JobStore(database, INGEST_JOBS, clock, settings.lease_seconds, LocalNotifier())
    queue, registry = Queue(store, kind), WorkerRegistry(WORKERS, database, clock)
    shares = SlotShares(database, INGEST_JOBS, WORKERS, clock, JOBS.c.kind.in_(SHOWN))
    runner = Runner(queue, JobObserver(), shares)
    announcing = _announcing(registry, owner, settings.worker_slots, parser.version)
    loop = Worker(runner, owner, settings.worker_slots, settings.poll_seconds, [announcing])
    return WorkerDependencies(database, blobs, registry, kind, queue, runner, loop, parser, cutting)


def _announcing(registry: WorkerRegistry, owner: str, slots: int, reading: str) -> Chore:
    """Say every few seconds that the worker lives, and delete old answers for `Idempotency-Key` then."""
    started_at = registry.clock.now()

    async def announce() -> None:
        await registry.announce(owner, slots, started_at, reading=reading)
        async with registry.database.write() as connection:
            await ANSWERS.prune(connection, registry.clock.now())

    return Chore(ANNOUNCE_SECONDS, announce)


def _parser(settings: IngestSettings) -> SandboxedExtractor:
    scratch = settings.data_dir / "parsing"
    scratch.mkdir(parents=True, exist_ok=True)
    return SandboxedExtractor(
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
    async with (
        open_database(settings) as database,
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
    events = asyncio.get_running_loop()
    async with open_worker(settings) as worker:
        for number in (signal.SIGTERM, signal.SIGINT):
            events.add_signal_handler(number, worker.loop.stop)
        name = process_name("worker")
        consumer = WakeupConsumer(settings.redis_url, name, lambda: _from_thread(events, worker.loop))
        consumer.start()
        watchdog = Watchdog(lambda: worker.loop.silent_seconds, settings.stuck_seconds)
        watchdog.start()
        housekeeping = asyncio.create_task(
            run_housekeeping(worker.database, worker.blobs, worker.parser, settings.jobs_kept_days)
        )
        app = worker_app(settings, worker)
        serving = asyncio.create_task(server_for(app, settings, port=settings.worker_port).serve())
        serving.add_done_callback(lambda _: worker.loop.stop())  # a signal reaches the server first
        worker.loop.when_stopping(watchdog.stop)
        try:
            await worker.loop.run(settings.shutdown_seconds)
            await _sign_off(worker)
        finally:
            housekeeping.cancel()
            await asyncio.gather(housekeeping, return_exceptions=True)
            await asyncio.to_thread(watchdog.stop)
            await asyncio.to_thread(consumer.stop)
        await serving


async def _sign_off(worker: WorkerDependencies) -> None:
    try:
        await worker.registry.sign_off(worker.loop.owner)
    except (SQLAlchemyError, OSError) as error:
        log.warning("could not sign off", error=repr(error)[:300])


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


def _from_thread(events: asyncio.AbstractEventLoop, loop: Worker[IngestJob]) -> None:
    if not events.is_closed():
        events.call_soon_threadsafe(loop.wake)
