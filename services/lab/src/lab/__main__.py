"""`python -m lab`."""

import gc

if __name__ == "__main__":
    gc.disable()  # what is imported is no garbage: `serve` looks for it again

from lab.bootstrap import create_app
from lab.settings import LabSettings
from servicekit.telemetry.logs import configure_logging
from servicekit.telemetry.spans import configure_tracing
from servicekit.web.app import serve

if __name__ == "__main__":
    settings = LabSettings()
    configure_logging(settings, "lab")
    configure_tracing(settings, "lab")
    serve(create_app(settings), settings)
