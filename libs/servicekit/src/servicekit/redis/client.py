"""The one way to open Redis (or Valkey): bounded in time, checked when idle, strings decoded."""

from __future__ import annotations

from pydantic import SecretStr
from redis.asyncio import Redis

TIMEOUT_SECONDS = 2.0


def open_redis(url: SecretStr) -> Redis:
    """A client with a pool; `await client.aclose()` when done."""
    return Redis.from_url(
        url.get_secret_value(),
        decode_responses=True,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        health_check_interval=15,
        max_connections=128,
    )
