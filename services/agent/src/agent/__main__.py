"""`python -m agent`."""

from agent.bootstrap import create_app
from agent.settings import AgentSettings
from servicekit.app import serve
from servicekit.logs import configure_logging

if __name__ == "__main__":
    settings = AgentSettings()
    configure_logging(settings, "agent")
    serve(create_app(settings), settings)
