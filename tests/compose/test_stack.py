"""`docker compose up`, for real: built, asked, each container restarted, nothing lost.

`make test-compose` runs it (with -s, for its figures). It needs a Docker engine, and says so where there is none.
"""

from __future__ import annotations

import re

import pytest
from tests.support.agent.cited import is_cited
from tests.support.deployment.compose import ComposeStack, image_megabytes, images_of, report

from groundwork.client import Groundwork

SERVICES = ("gateway", "ingest", "retriever", "inference", "agent", "lab")
CONTAINERS = sorted({*SERVICES, "worker", "redis", "postgres"})
ADDED_MB = {"gateway": 250, "ingest": 250, "retriever": 250, "agent": 250}
FROM_SOURCE = r"code object from '.*\.py'"
"""How `python -v` says that it has just compiled a module."""


def _everything(client: Groundwork) -> dict[str, list[tuple[int, str]]]:
    """Every chunk of every document."""
    return {
        document.id: [
            (chunk.start, chunk.end, chunk.text) for chunk in client.documents.chunks("handbook", document.id)
        ]
        for document in client.documents.list("handbook")
    }


def test_images_of_services_without_models_are_small() -> None:
    images = images_of(tuple(ADDED_MB))
    base = image_megabytes("python:3.11-slim")
    added = {service: image_megabytes(image) - base for service, image in images.items()}
    report(f"MB added to the base image: { {service: round(each) for service, each in added.items()} }")
    assert all(added[service] < limit for service, limit in ADDED_MB.items()), added


def test_an_answeris_cited_and_its_quotes_are_exact(client: Groundwork) -> None:
    assert is_cited(client)


@pytest.mark.parametrize("service", CONTAINERS)
def test_nothing_is_lost_when_a_container_is_restarted(stack: ComposeStack, client: Groundwork, service: str) -> None:
    before = _everything(client)
    stack.run("restart", service)
    stack.run("up", "--detach", "--no-build", "--wait", "--wait-timeout", "120")
    stack.wait_ready()
    assert _everything(client) == before
    assert is_cited(client)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_runs_confined(stack: ComposeStack, client: Groundwork, service: str) -> None:
    script = "id -u; touch /opt/groundwork/x 2>/dev/null || echo unwritable; command -v cc gcc || echo no compiler"
    said = stack.run("exec", "-T", service, "sh", "-c", script)
    assert said.splitlines() == ["10001", "unwritable", "no compiler"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_without_compiling(stack: ComposeStack, client: Groundwork, service: str) -> None:
    said = stack.run("exec", "-T", service, "sh", "-c", f"python -v -c 'import {service}.bootstrap' 2>&1")
    assert "code object from '/opt/groundwork/bytecode/" in said, "nothing of what it says is understood"
    assert not re.findall(FROM_SOURCE, said)
