"""How Redis is opened: by each form of a URL, and so that what waits for it can be cancelled."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection

from servicekit.redis import client
from servicekit.redis.client import open_redis


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("redis://:secret@cache:6380/2", Connection),
        ("rediss://cache", SSLConnection),
        ("unix:///run/cache.sock", UnixDomainSocketConnection),
    ],
)
async def test_each_form_of_a_url_makes_connections_that_can_be_cancelled(
    url: str, plain: type[AbstractConnection]
) -> None:
    redis = open_redis(SecretStr(url))
    pool = redis.connection_pool
    assert issubclass(pool.connection_class, plain)
    assert issubclass(pool.connection_class, client._Cancellable)
    assert pool.make_connection().socket_timeout == client.TIMEOUT_SECONDS
    await redis.aclose()
