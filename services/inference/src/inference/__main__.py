"""`python -m inference`."""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # what is imported is no garbage: `serve` looks for it again

from inference.bootstrap import create_app
from inference.settings import InferenceSettings
from servicekit.telemetry.logs import configure_logging
from servicekit.telemetry.spans import configure_tracing
from servicekit.web.app import serve


def main() -> None:
    """Serve until told to stop."""
    settings = InferenceSettings()
    configure_logging(settings, "inference")
    configure_tracing(settings, "inference")
    serve(create_app(settings), settings)


if __name__ == "__main__":
    main()
