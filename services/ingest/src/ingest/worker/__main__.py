"""`python -m ingest.worker`: works off the ledger until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import gc

if __name__ == "__main__":
    gc.disable()  # what is imported is no garbage: `keep_garbage_cheap` looks for it again

from ingest.settings import IngestSettings
from ingest.worker.bootstrap import run_worker
from servicekit.core.garbage import keep_garbage_cheap
from servicekit.sql.migrations import refused_in_words
from servicekit.telemetry.logs import configure_logging
from servicekit.telemetry.spans import close_tracing, configure_tracing

if __name__ == "__main__":
    settings = IngestSettings()
    configure_logging(settings, "ingest-worker")
    configure_tracing(settings, "ingest-worker")
    keep_garbage_cheap()
    try:
        with refused_in_words():
            asyncio.run(run_worker(settings))
    finally:
        close_tracing()
