"""`/healthz` (alive) and `/readyz` (able to do its job now, with each part's state)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import APIRouter, Request
from fastapi.responses import Response

from contracts.core.health import Health
from servicekit.core.probes import Probe, Readiness
from servicekit.core.version import package_version


def health_router(
    service: str, probes: Callable[[Request], Mapping[str, Probe]], ready_seconds: float = 0.0
) -> APIRouter:
    """The two health calls of a service; `probes` are asked by `/readyz`, which remembers its answer for
    `ready_seconds`."""
    router, readiness = APIRouter(tags=["health"]), Readiness(ready_seconds)

    @router.get("/healthz", response_model=Health)
    async def healthz() -> Health:
        """Alive."""
        return Health(status="ok", service=service, version=package_version(service))

    @router.get("/readyz", response_model=Health, responses={503: {"model": Health}})
    async def readyz(request: Request, response: Response) -> Health:
        """Able to do its job now, with each part's state."""
        parts = await readiness.parts(probes(request))
        ready = all(part.ok for part in parts.values())
        response.status_code = 200 if ready else 503
        return Health(
            status="ok" if ready else "unavailable", service=service, version=package_version(service), parts=parts
        )

    return router
