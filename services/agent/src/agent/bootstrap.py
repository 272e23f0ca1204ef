"""Builds the service: the only file that picks adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from agent.adapters.peers import ModelPlane, RetrieverSearch
from agent.graph import Answering
from agent.ports import Models, Search
from agent.routes import chat
from agent.settings import AgentSettings
from servicekit.app import build_app
from servicekit.health import Probe
from servicekit.http import Peer, open_session


@dataclass(frozen=True)
class Dependencies:
    """What the service works with."""

    answering: Answering

    @classmethod
    def of(cls, search: Search, models: Models, settings: AgentSettings) -> Dependencies:
        """With these adapters."""
        return cls(Answering(search, models, settings))


@asynccontextmanager
async def open_dependencies(settings: AgentSettings) -> AsyncIterator[Dependencies]:
    """The real adapters over HTTP, until the service ends."""
    async with open_session() as session:
        retriever = Peer("retriever", settings.retriever_url, session, settings.search_seconds)
        gateway = Peer("gateway", settings.gateway_url, session, settings.deadline_seconds)
        search = RetrieverSearch(retriever, settings.search_seconds)
        yield Dependencies.of(search, ModelPlane(gateway, settings.embedding_model), settings)


def create_app(settings: AgentSettings, dependencies: Dependencies | None = None) -> FastAPI:
    """The app; with given dependencies, those are used and left open."""

    @asynccontextmanager
    async def given() -> AsyncIterator[Dependencies]:
        assert dependencies is not None
        yield dependencies

    def real() -> AbstractAsyncContextManager[Dependencies]:
        return open_dependencies(settings)

    opening: Callable[[], AbstractAsyncContextManager[Dependencies]] = real if dependencies is None else given
    return build_app("agent", settings=settings, opening=opening, routers=[chat.router], probes=_probes)


def _probes(dependencies: Dependencies) -> Mapping[str, Probe]:
    answering = dependencies.answering
    return {"retriever": answering.search.probe, "models": answering.models.probe}
