"""How many files (sockets, above all) this process may have open: shells and service managers allow 1,024."""

from __future__ import annotations

import resource

import structlog

log = structlog.get_logger(__name__)
MOST = 65_536
A_CALL = 2
"""The client's connection and the one to an inner service."""
BESIDES = 512
"""Idle connections, connections of other calls, files of the ledger."""


def raise_limit(open_calls: int) -> None:
    """Allow as many as the hard limit does, and warn where that is too few for so many open calls."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    needed = A_CALL * open_calls + BESIDES
    if soft != resource.RLIM_INFINITY and soft < needed:
        log.warning("too few open files are allowed for GATEWAY_OPEN_CALLS", allowed=soft, needed=needed)
