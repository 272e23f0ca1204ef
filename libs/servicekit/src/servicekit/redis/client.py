"""The one way to open Redis (or Valkey): bounded in time, checked when idle, strings decoded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pydantic import SecretStr
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import TimeoutError as RedisTimeout

TIMEOUT_SECONDS = 2.0
MOST_CONNECTIONS = 128


class _Cancellable(AbstractConnection):
    """Sends without `asyncio.wait_for`, with which redis-py bounds each command: until Python 3.12 that drops a
    cancellation that comes meanwhile. A loop that was cancelled went on for ever, and its service never ended.
    """

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]  # redis-py's
        seconds, self.socket_timeout = self.socket_timeout, None  # without one it writes without `wait_for`
        try:
            async with asyncio.timeout(seconds):
                await super().send_packed_command(command, check_health=False)
        except TimeoutError:
            raise RedisTimeout("Timeout writing to socket") from None
        finally:
            self.socket_timeout = seconds


def open_redis(url: SecretStr) -> Redis:
    """A client with a pool; `await client.aclose()` when done."""
    pool = ConnectionPool.from_url(
        url.get_secret_value(),
        decode_responses=True,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        health_check_interval=15,
        max_connections=MOST_CONNECTIONS,
    )
    plain = pool.connection_class  # by the URL: TCP, TLS or a socket's path
    pool.connection_class = type(f"Cancellable{plain.__name__}", (_Cancellable, plain), {})
    return Redis.from_pool(pool)
