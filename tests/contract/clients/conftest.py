"""The platform's edge for unmodified clients: a gateway with scripted models, in a thread beside the tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.agent.running import running_agents
from tests.support.agent.service import serving
from tests.support.home.stack import running_home
from tests.support.inference import likely
from tests.support.inference.real import MODELS, running_with_inference

START_SECONDS = 120.0


@dataclass(frozen=True)
class Served:
    """Where clients call, and with which key; `admin` makes others."""

    url: str
    key: str
    admin: str

    @property
    def environment(self) -> dict[str, str]:
        """What clients read by default, and the address without `/v1`."""
        mine = {"OPENAI_BASE_URL": f"{self.url}/v1", "OPENAI_API_KEY": self.key}
        return {**mine, "GATEWAY_URL": self.url, "ADMIN_API_KEY": self.admin}


@asynccontextmanager
async def _gateway(folder: Path) -> AsyncIterator[Served]:
    async with serving(likely.app) as url, running_with_inference(folder, [*MODELS, likely.declared(url)]) as running:
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
    """Chat, embedding and rerank models, one that tells how likely texts are; answers from documents by a stand-in."""
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
