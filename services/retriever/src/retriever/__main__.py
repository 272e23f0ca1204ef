"""`python -m retriever`."""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # what is imported is no garbage: `serve` looks for it again

from retriever.bootstrap import create_app
from retriever.settings import RetrieverSettings
from servicekit.telemetry.logs import configure_logging
from servicekit.telemetry.spans import configure_tracing
from servicekit.web.app import serve


def main() -> None:
    """Serve until SIGTERM."""
    settings = RetrieverSettings()
    configure_logging(settings, "retriever")
    configure_tracing(settings, "retriever")
    serve(create_app(settings), settings)


if __name__ == "__main__":
    main()
