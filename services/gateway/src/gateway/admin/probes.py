"""What readiness exercises: of the public API, and of the model plane."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.dependencies import Dependencies
from servicekit.core.errors import ServiceError
from servicekit.core.probes import Degraded, Probe


def public_probes(deps: Dependencies) -> Mapping[str, Probe]:
    """Every part that the public API needs."""
    peers = deps.peers
    return {
        "database": deps.database.probe,
        "records": deps.recorder.probe,
        "redis": _redis_probe(deps),
        "agent": peers.agent.probe,
        "ingest": peers.ingest.probe,
        "retriever": peers.retriever.probe,
        "lab": _lab_probe(deps),
        "inference": peers.inference.probe,
    }


def plane_probes(deps: Dependencies) -> Mapping[str, Probe]:
    """What the model plane needs. Not the agent, whose own readiness asks for the model plane."""
    return {"database": deps.database.probe, "inference": deps.peers.inference.probe}


def _redis_probe(deps: Dependencies) -> Probe:
    async def probe() -> None:
        try:
            await deps.limiter.probe()
        except Exception as error:
            if deps.settings.limits_when_redis_is_away == "allow":
                raise Degraded("away; calls are let in without limits until it is back") from error
            raise

    return probe


def _lab_probe(deps: Dependencies) -> Probe:
    async def probe() -> None:
        try:
            await deps.peers.lab.probe()
        except ServiceError as error:
            raise Degraded("away; question sets can't be had until it is back") from error

    return probe
