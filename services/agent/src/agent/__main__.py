"""`python -m agent`."""

import gc

if __name__ == "__main__":
    gc.disable()  # what is imported is no garbage: `serve` looks for it again

from agent.bootstrap import create_app
from agent.dependencies import Dependencies
from agent.settings import AgentSettings
from servicekit.telemetry.logs import configure_logging
from servicekit.telemetry.spans import configure_tracing
from servicekit.web.app import serve

if __name__ == "__main__":
    settings = AgentSettings()
    configure_logging(settings, "agent")
    configure_tracing(settings, "agent")
    app = create_app(settings)

    def stop_worker() -> None:
        """Before open streams are waited for, so that runs have the whole time to end their step."""
        opened: Dependencies | None = getattr(app.state, "dependencies", None)
        if opened is not None:
            opened.agents.worker.stop()

    serve(app, settings, stop_worker)
