"""`python -m ingest`: the API."""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # what is imported is no garbage: `serve` looks for it again

from ingest.bootstrap import create_app
from ingest.settings import IngestSettings
from servicekit.telemetry.logs import configure_logging
from servicekit.telemetry.spans import configure_tracing
from servicekit.web.app import serve

if __name__ == "__main__":
    settings = IngestSettings()
    configure_logging(settings, "ingest")
    configure_tracing(settings, "ingest")
    serve(create_app(settings), settings)
