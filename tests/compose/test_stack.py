"""`docker compose up`, for real: built, asked, each container restarted, everything killed at once, nothing lost.

`make test-compose` runs it (with -s, for its figures). It needs a Docker engine, and says so where there is none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from tests.support.compose import ComposeStack, compose_stack, engine_reason, image_megabytes, images_of, report
from tests.support.stack import handbook_questions, ingest_handbook

from groundwork.client import Groundwork
from groundwork.errors import GroundworkError

SERVICES = ("gateway", "ingest", "retriever", "inference", "agent")
ALL = {*SERVICES, "worker", "redis", "postgres"}
KNOWN = handbook_questions(answerable=True)[0]
UPLOADS = 40
JOB_SECONDS = 180
ADDED_MB = {"gateway": 250, "ingest": 250, "retriever": 250, "agent": 250}
IDLE_MIB = 2000 * 1e6 / 2**20


@pytest.fixture(scope="module")
def stack() -> Iterator[ComposeStack]:
    reason = engine_reason()
    if reason is not None:
        pytest.fail(f"containers can't be tried here: {reason}. Install Docker with compose, or leave this ring out.")
    with compose_stack("groundwork-test") as started:
        started.build()
        yield started


@pytest.fixture(scope="module")
def client(stack: ComposeStack) -> Iterator[Groundwork]:
    started = time.monotonic()
    up = stack.up()
    with stack.client() as opened:
        idle = stack.memory()
        report(f"up and ready in {up:.0f} s; idle: {sum(idle.values()):.0f} MiB {idle}")
        assert set(idle) >= ALL
        assert sum(idle.values()) < IDLE_MIB
        ingest_handbook(opened, "handbook")
        assert _is_cited(opened)
        report(f"first cited answer {time.monotonic() - started:.0f} s after the start")
        yield opened


def _is_cited(client: Groundwork) -> bool:
    answer = client.ask("handbook", KNOWN["question"])
    return KNOWN["document"] in {note.source for note in answer.citations} and all(
        client.documents.text(note.collection, note.document_id, revision=note.revision)[note.start : note.end]
        == note.quote
        for note in answer.citations
    )


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


def test_an_answer_is_cited_and_its_quotes_are_exact(client: Groundwork) -> None:
    assert _is_cited(client)


@pytest.mark.parametrize("service", sorted(ALL))
def test_nothing_is_lost_when_a_container_is_restarted(stack: ComposeStack, client: Groundwork, service: str) -> None:
    before = _everything(client)
    stack.run("restart", service)
    stack.run("up", "--detach", "--no-build", "--wait", "--wait-timeout", "120")
    stack.wait_ready()
    assert _everything(client) == before
    assert _is_cited(client)


def test_every_acknowledged_upload_survives_the_power_cut(stack: ComposeStack, client: Groundwork) -> None:
    client.collections.ensure("power")
    accepted: dict[str, str] = {}
    enough = threading.Event()

    def upload() -> None:
        for number in range(UPLOADS):
            text = f"Note {number}: the lamp of pier {number} is lit at {number} minutes past nine."
            try:
                done = client.documents.upload("power", text.encode(), filename=f"note-{number}.txt")
            except GroundworkError:
                return
            assert done.job is not None
            accepted[done.job.id] = done.document.id
            if number == UPLOADS // 2:
                enough.set()

    uploader = threading.Thread(target=upload)
    uploader.start()
    assert enough.wait(60)
    stack.kill_everything()
    uploader.join(60)
    stack.up()
    for job in accepted:
        assert client.jobs.wait(job, timeout=JOB_SECONDS).status == "ready"
    found = {document.id for document in client.documents.list("power") if document.status == "ready"}
    assert set(accepted.values()) <= found
    assert _is_cited(client)
    report(f"{len(accepted)} uploads acknowledged before the power cut, all ready after it")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_runs_confined(stack: ComposeStack, client: Groundwork, service: str) -> None:
    script = "id -u; touch /opt/groundwork/x 2>/dev/null || echo unwritable; command -v cc gcc || echo no compiler"
    said = stack.run("exec", "-T", service, "sh", "-c", script)
    assert said.splitlines() == ["10001", "unwritable", "no compiler"]
