"""`python -m ingest`: the API."""

from __future__ import annotations

from ingest.bootstrap import create_app
from ingest.settings import IngestSettings
from servicekit.app import serve
from servicekit.logs import configure_logging
from servicekit.tracing import configure_tracing

if __name__ == "__main__":
    settings = IngestSettings()
    configure_logging(settings, "ingest")
    configure_tracing(settings, "ingest")
    serve(create_app(settings), settings)
