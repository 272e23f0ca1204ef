"""Metrics that every service has, and the closed label sets.

| metric | labels | meaning |
| --- | --- | --- |
| groundwork_http_requests_total | service, method, route, status | answered calls; `route` is the template |
| groundwork_http_request_seconds | service, method, route | time until the last byte was sent |
| groundwork_http_in_flight | service | calls being answered |
| groundwork_peer_requests_total | peer, outcome | calls to other services: `ok`, `error`, `timeout`, `unreachable` |
| groundwork_peer_request_seconds | peer | time until the peer's headers |
| groundwork_disk_free_bytes | service | free where the service keeps its data; absent for one that keeps none |
| groundwork_disk_size_bytes | service | size of that disk |
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Collection, Iterable
from itertools import product
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

disable_created_metrics()  # type: ignore[no-untyped-call]  # series that nobody reads: when a process began is known
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))

HTTP_REQUESTS = Counter("groundwork_http_requests_total", "Answered calls.", ("service", "method", "route", "status"))
HTTP_SECONDS = Histogram(
    "groundwork_http_request_seconds", "Time to the last byte.", ("service", "method", "route"), buckets=LATENCY_BUCKETS
)
HTTP_IN_FLIGHT = Gauge("groundwork_http_in_flight", "Calls being answered.", ("service",))
PEER_REQUESTS = Counter("groundwork_peer_requests_total", "Calls to other services.", ("peer", "outcome"))
PEER_SECONDS = Histogram(
    "groundwork_peer_request_seconds", "Time to the peer's headers.", ("peer",), buckets=LATENCY_BUCKETS
)
DISK_FREE = Gauge("groundwork_disk_free_bytes", "Free where the service keeps its data.", ("service",))
DISK_SIZE = Gauge("groundwork_disk_size_bytes", "Size of the disk of the service's data.", ("service",))


def watch_disk(service: str, folder: Path) -> None:
    """Show how full the disk under `folder` is, read anew at each scrape; nothing for a folder that isn't there."""
    if not folder.is_dir():
        return
    DISK_FREE.labels(service).set_function(lambda: _usage(folder)[1])
    DISK_SIZE.labels(service).set_function(lambda: _usage(folder)[0])


def _usage(folder: Path) -> tuple[float, float]:
    """Size and free bytes; not a number once the folder can't be read."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return math.nan, math.nan
    return float(usage.total), float(usage.free)


def begin_at_zero(counter: Counter, *values: Iterable[str]) -> None:
    """Have a counter's series, one a combination of label values, from the start: Prometheus sees no increase in what
    just appeared, and a panel of what never happened shows 0 instead of nothing.
    """
    for labels in product(*values):
        counter.labels(*labels)


def known_label(value: str, allowed: Collection[str]) -> str:
    """`value` if it is one of a closed set, else `other`: callers must not be able to add label values."""
    return value if value in allowed else "other"


def metrics_router() -> APIRouter:
    """`GET /metrics` in Prometheus's text format."""
    router = APIRouter()

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
