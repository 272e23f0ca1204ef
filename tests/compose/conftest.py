"""One stack in containers for the whole ring, built here. The last of its tests destroys and restores it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.support.agent.cited import is_cited
from tests.support.deployment.compose import ComposeStack, compose_stack, engine_reason, report
from tests.support.home.stack import ingest_handbook

from groundwork.client import Groundwork

ALL = {"gateway", "ingest", "retriever", "inference", "agent", "lab", "worker", "redis", "postgres"}
IDLE_MIB = 2000 * 1e6 / 2**20


@pytest.fixture(scope="session")
def stack() -> Iterator[ComposeStack]:
    """Built, and not yet started."""
    reason = engine_reason()
    if reason is not None:
        pytest.fail(f"containers can't be tried here: {reason}. Install Docker with compose, or leave this ring out.")
    with compose_stack("groundwork-test") as started:
        started.build()
        yield started


@pytest.fixture(scope="session")
def client(stack: ComposeStack) -> Iterator[Groundwork]:
    """The admin's, of a stack that has the handbook; prints what the first start took and what it holds idle."""
    up = stack.up()
    with stack.client() as opened:
        idle = stack.memory()
        report(f"up and ready in {up:.0f} s; idle: {sum(idle.values()):.0f} MiB {idle}")
        assert set(idle) >= ALL
        assert sum(idle.values()) < IDLE_MIB
        began = time.monotonic()
        ingest_handbook(opened, "handbook")
        ingested = time.monotonic()
        assert is_cited(opened)
        answered = time.monotonic()
        report(
            f"first cited answer {up + answered - began:.0f} s after a cold start: up {up:.0f}, "
            f"handbook {ingested - began:.0f}, answer {answered - ingested:.0f}"
        )
        yield opened
