"""`python -m ingest.worker`: works off the ledger until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio

from ingest.settings import IngestSettings
from ingest.worker.bootstrap import run_worker
from servicekit.telemetry.logs import configure_logging
from servicekit.telemetry.spans import close_tracing, configure_tracing

if __name__ == "__main__":
    settings = IngestSettings()
    configure_logging(settings, "ingest-worker")
    configure_tracing(settings, "ingest-worker")
    try:
        asyncio.run(run_worker(settings))
    finally:
        close_tracing()
