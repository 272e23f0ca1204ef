"""`python -m agent`."""

from agent.bootstrap import create_app
from agent.settings import AgentSettings
from servicekit.telemetry.logs import configure_logging
from servicekit.telemetry.spans import configure_tracing
from servicekit.web.app import serve

if __name__ == "__main__":
    settings = AgentSettings()
    configure_logging(settings, "agent")
    configure_tracing(settings, "agent")
    app = create_app(settings)

    def give_back_runs() -> None:
        """Before open streams are waited for, so that runs have the whole time to end their step."""
        opened = getattr(app.state, "dependencies", None)
        if opened is not None:
            opened.agents.loop.stop()

    serve(app, settings, give_back_runs)
