"""The platform's edge for unmodified clients: a gateway with scripted models, in a thread beside the tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from tests.support.agent.running import free_port, running_agents
from tests.support.agent.service import serving
from tests.support.home.stack import ROOT, running_home
from tests.support.inference import likely, scripted_server
from tests.support.inference.real import MODELS, running_with_inference

from servicekit.core.settings import CAPTURE_CONTENT

START_SECONDS = 120.0
KITS = [f"Kit {number} of the depot in Leeds may be kept for {number + 20} days." for number in range(24)]
"""A document, and what the model makes of it."""


@dataclass(frozen=True)
class Served:
    """Where clients call, and with which key; `admin` makes others."""

    url: str
    key: str
    admin: str
    more: Mapping[str, str] = field(default_factory=dict)
    """What a program is told besides."""

    @property
    def environment(self) -> dict[str, str]:
        """What clients read by default, and the address without `/v1`."""
        mine = {"OPENAI_BASE_URL": f"{self.url}/v1", "OPENAI_API_KEY": self.key}
        return {**mine, "GATEWAY_URL": self.url, "ADMIN_API_KEY": self.admin, **self.more}


@asynccontextmanager
async def _gateway(folder: Path) -> AsyncIterator[Served]:
    async with serving(likely.app) as url:
        with scripted_server.scripted_server() as plain:
            models = [*MODELS, likely.declared(url), scripted_server.declared(plain)]
            async with running_with_inference(folder, models) as running:
                yield Served(running.url, running.admin_key, running.admin_key)


@asynccontextmanager
async def _agents(folder: Path) -> AsyncIterator[Served]:
    async with running_agents(folder) as running:
        yield Served(running.gateway.url, running.key, running.gateway.admin_key)


@contextmanager
def _in_a_thread(running: Callable[[Path], AbstractAsyncContextManager[Served]], folder: Path) -> Iterator[Served]:
    """Runs it in a loop of its own until the block ends."""
    started, loop, over = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    told: list[Served] = []

    async def run() -> None:
        async with running(folder) as served:
            told.append(served)
            started.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert started.wait(START_SECONDS), "it did not start"
        yield told[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Chat, embedding and rerank models, one that tells how likely texts are, a plain one of a server's; answers from
    documents by a stand-in."""
    with _in_a_thread(_gateway, tmp_path_factory.mktemp("gateway")) as served:
        yield served


@pytest.fixture(scope="session")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The same with the real agent service, for MCP and prompts."""
    with _in_a_thread(_agents, tmp_path_factory.mktemp("agents")) as served:
        yield served


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """All services, for what ingests as well."""
    with running_home(tmp_path_factory.mktemp("platform") / "home") as home:
        yield Served(home.base_url, home.admin_key, home.admin_key)


@pytest.fixture(scope="session")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two homes on scripted models that send their traces to one port; those of the second show what was asked and
    answered."""
    folder, port = tmp_path_factory.mktemp("traced"), free_port()
    models = yaml.safe_load((ROOT / "deploy/config/models.scripted.yaml").read_text())
    with ExitStack() as stack:
        plain = stack.enter_context(scripted_server.scripted_server({"kits": " ".join(KITS)}))
        models["models"].append(scripted_server.declared(plain))
        (file := folder / "models.yaml").write_text(yaml.safe_dump(models))
        collector = {"GROUNDWORK_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "INFERENCE_MODELS_FILE": str(file)}
        home = stack.enter_context(running_home(folder / "home", collector))
        showing = stack.enter_context(running_home(folder / "showing", {**collector, CAPTURE_CONTENT: "true"}))
        second = {"SHOWING_URL": showing.base_url, "SHOWING_KEY": showing.admin_key}
        more = {**second, "PHOENIX_PORT": str(port), "KITS": " ".join(KITS)}
        yield Served(home.base_url, home.admin_key, home.admin_key, more)
