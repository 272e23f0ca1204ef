"""Ingest's metrics, of the API and of each worker.

| metric | labels | meaning |
| --- | --- | --- |
| groundwork_ingest_uploads_total | outcome | `new`, `revision` (also a retried one), `unchanged`, `restored` |
| groundwork_ingest_upload_bytes_total | | bytes accepted |
| groundwork_ingest_fetches_total | outcome | `fetched`, `refused`, `failed`, `too_large`, `timeout`, `busy`, `left` |
| groundwork_ingest_fetch_seconds | | time of one fetch by URL, however it ended; waiting for a slot included |
| groundwork_ingest_fetch_bytes_total | | bytes of documents fetched, after decompression |
| groundwork_ingest_wakeups_total | outcome | wake-ups: `sent`, `failed`, `dropped` (too many waiting), `received` |
| groundwork_ingest_jobs | status | from the API: jobs that are `queued` or `running` now |
| groundwork_ingest_oldest_queued_seconds | | from the API: age of the oldest queued job |
| groundwork_ingest_workers | | from the API: workers, on any host, that gave a sign of life in the last 30 s |
| groundwork_ingest_jobs_without_worker | | from the API: queued jobs while no worker lives, else 0 |
| groundwork_ingest_jobs_finished_total | outcome | jobs ended by this worker: `ready`, `failed`, `cancelled`, `lost` |
| groundwork_ingest_jobs_put_back_total | reason | again: `waiting`, `error`, `shutdown`, `yielding`, `giving_way` |
| groundwork_ingest_stage_seconds | stage | time of one stage of one attempt |
| groundwork_ingest_pages_total | | pages parsed |
| groundwork_ingest_chunks_total | how | chunks: `embedded`, `reused`, `deleted` (of revisions that were replaced) |
| groundwork_ingest_slots | state | this worker's slots: `busy`, `free` |
| groundwork_ingest_worker_heartbeat_timestamp_seconds | | when the worker's loop last looked into the queue |
| groundwork_ingest_consumer_restarts_total | | times the consumer of wake-ups had to be started again |
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from servicekit.telemetry.metrics import begin_at_zero

STAGE_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
FETCH_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60)

UPLOADS = Counter("groundwork_ingest_uploads_total", "Uploads by outcome.", ("outcome",))
UPLOAD_BYTES = Counter("groundwork_ingest_upload_bytes_total", "Bytes accepted.")
FETCHES = Counter("groundwork_ingest_fetches_total", "Documents by URL, by outcome.", ("outcome",))
FETCH_SECONDS = Histogram("groundwork_ingest_fetch_seconds", "Time of a fetch.", buckets=FETCH_BUCKETS)
FETCH_BYTES = Counter("groundwork_ingest_fetch_bytes_total", "Bytes fetched.")
WAKEUPS = Counter("groundwork_ingest_wakeups_total", "Wake-ups of workers.", ("outcome",))
JOBS_NOW = Gauge("groundwork_ingest_jobs", "Live jobs.", ("status",))
WORKERS_ALIVE = Gauge("groundwork_ingest_workers", "Workers that live.")
ABANDONED = Gauge("groundwork_ingest_jobs_without_worker", "Queued jobs while no worker lives.")
OLDEST_QUEUED = Gauge("groundwork_ingest_oldest_queued_seconds", "Age of the oldest queued job.")
FINISHED = Counter("groundwork_ingest_jobs_finished_total", "Jobs ended by this worker.", ("outcome",))
PUT_BACK = Counter("groundwork_ingest_jobs_put_back_total", "Jobs queued again.", ("reason",))
STAGE_SECONDS = Histogram("groundwork_ingest_stage_seconds", "Time of a stage.", ("stage",), buckets=STAGE_BUCKETS)
PAGES = Counter("groundwork_ingest_pages_total", "Pages parsed.")
CHUNKS = Counter("groundwork_ingest_chunks_total", "Chunks indexed.", ("how",))
SLOTS = Gauge("groundwork_ingest_slots", "Slots of this worker.", ("state",))
HEARTBEAT = Gauge("groundwork_ingest_worker_heartbeat_timestamp_seconds", "Last look into the queue.")
CONSUMER_RESTARTS = Counter("groundwork_ingest_consumer_restarts_total", "Restarts of the wake-up consumer.")

begin_at_zero(UPLOADS, ("new", "revision", "unchanged", "restored"))
begin_at_zero(FETCHES, ("fetched", "refused", "failed", "too_large", "timeout", "busy", "left"))
begin_at_zero(WAKEUPS, ("sent", "failed", "dropped", "received"))
begin_at_zero(FINISHED, ("ready", "failed", "cancelled", "lost"))
begin_at_zero(PUT_BACK, ("waiting", "error", "shutdown", "yielding", "giving_way"))
begin_at_zero(CHUNKS, ("embedded", "reused", "deleted"))
