"""Documents: what comes in, what waits and why, what a stage takes."""

from __future__ import annotations

from panels import Board, Row, line, quantiles, rates, stat

BOARD = Board(
    "groundwork-ingest",
    "Groundwork: ingest",
    (
        Row(
            "Queue",
            (
                stat("Workers that live", "max(groundwork_ingest_workers)"),
                stat(
                    "Jobs without a worker",
                    "max(groundwork_ingest_jobs_without_worker)",
                    says="Alert QueueWithoutConsumer.",
                ),
                stat("Oldest queued job", "max(groundwork_ingest_oldest_queued_seconds)", "s", "Alert OldestJobWaits."),
                line(
                    "Jobs",
                    ("max by (status) (groundwork_ingest_jobs)", "{{status}}"),
                    says="From the database: every replica tells the same.",
                ),
                line("Slots of the workers", ("sum by (state) (groundwork_ingest_slots)", "{{state}}")),
                line(
                    "Last look into the queue, ago",
                    ("time() - (groundwork_ingest_worker_heartbeat_timestamp_seconds > 0)", "{{instance}}"),
                    unit="s",
                    says="Alert WorkerSilent.",
                ),
            ),
        ),
        Row(
            "Documents",
            (
                line("Uploads", rates("groundwork_ingest_uploads_total", "outcome")),
                line("Bytes accepted", rates("groundwork_ingest_upload_bytes_total"), unit="Bps"),
                line("Jobs ended", rates("groundwork_ingest_jobs_finished_total", "outcome")),
                line(
                    "Jobs put back",
                    rates("groundwork_ingest_jobs_put_back_total", "reason"),
                    says="`waiting`: a service that they need is away.",
                ),
                line("Documents by URL", rates("groundwork_ingest_fetches_total", "outcome")),
                line("A fetch by URL", *quantiles("groundwork_ingest_fetch_seconds"), unit="s"),
            ),
        ),
        Row(
            "Work",
            (
                line("Stages, p95", *quantiles("groundwork_ingest_stage_seconds", "stage", shares=(0.95,)), unit="s"),
                line("Pages parsed", rates("groundwork_ingest_pages_total")),
                line(
                    "Chunks",
                    rates("groundwork_ingest_chunks_total", "how"),
                    says="`reused`: unchanged text, no embedding.",
                ),
                line("Wake-ups", rates("groundwork_ingest_wakeups_total", "outcome")),
                line("Restarts of the consumer", rates("groundwork_ingest_consumer_restarts_total")),
            ),
        ),
    ),
)
