from __future__ import annotations

from dataclasses import replace

import pytest
from services.gateway.tests.installation import Installation

from contracts.core.health import Health
from gateway.admin.probes import plane_probes, public_probes
from gateway.limits.limiter import LimiterUnavailable
from gateway.limits.memory_limiter import MemoryLimiter
from servicekit.core.clock import ManualClock
from servicekit.core.probes import Degraded


class Away(MemoryLimiter):
    """Does not answer."""

    async def probe(self) -> None:
        raise LimiterUnavailable("connection refused")


@pytest.mark.parametrize(("chosen", "error"), [("allow", Degraded), ("refuse", LimiterUnavailable)])
async def test_without_redis_the_gateway_is_ready_only_where_calls_pass_without_limits_then(
    installation: Installation, clock: ManualClock, chosen: str, error: type[Exception]
) -> None:
    settings = installation.settings.model_copy(update={"limits_when_redis_is_away": chosen})
    await public_probes(installation.deps)["redis"]()
    with pytest.raises(error):
        await public_probes(replace(installation.deps, settings=settings, limiter=Away(clock)))["redis"]()


async def test_the_model_plane_waits_for_nobody_who_waits_for_it(installation: Installation) -> None:
    assert set(public_probes(installation.deps)) - set(plane_probes(installation.deps)) == {
        "records", "redis", "agent", "ingest", "retriever", "lab",
    }  # fmt: skip


async def test_the_gateway_is_ready_without_the_lab_and_says_that_it_is_away(installation: Installation) -> None:
    with pytest.raises(Degraded, match="question sets"):
        await public_probes(installation.deps)["lab"]()
    installation.lab.answers("/readyz", Health(status="ok", service="lab", version="1"))
    await public_probes(installation.deps)["lab"]()
