"""Killing the worker in the middle of ingesting loses no document and doubles no chunk."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest
from tests.support.home.stack import RunningHome, ingest_handbook, running_home

from groundwork.client import Groundwork
from groundwork.client.transfers.bulk import Batch

LEASE = {"INGEST_LEASE_SECONDS": "5", "INGEST_POLL_SECONDS": "1"}
"""A dead worker's jobs are taken over after this, which the test has to wait for."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHome]:
    with running_home(tmp_path_factory.mktemp("chaos") / "home", LEASE) as running:
        yield running


def chunks(client: Groundwork, collection: str) -> dict[str, list[tuple[int, int]]]:
    """Every chunk's span by document."""
    return {
        document.source: [(chunk.start, chunk.end) for chunk in client.documents.chunks(collection, document.id)]
        for document in client.documents.list(collection)
    }


def test_a_killed_worker_loses_nothing_and_doubles_nothing(home: RunningHome) -> None:
    ingest_handbook(home.client, "calm")
    killed: list[int] = []

    def kill_in_the_middle(batch: Batch) -> None:
        ready = sum(state.ready for state in batch.states)
        running = any(state.job and state.job.status == "running" for state in batch.states)
        pid = home.supervisor.processes()["worker"].pid  # 0 while one that was killed is not back yet
        if pid and len(killed) < 2 and ready >= 3 * (len(killed) + 1) and ready < len(batch.states) and running:
            worker = psutil.Process(pid)
            for process in (*worker.children(recursive=True), worker):
                process.kill()
            psutil.wait_procs([worker], timeout=60)
            killed.append(worker.pid)

    disturbed = ""
    for number in range(10):  # a fast machine may be done before anybody sees it at work
        disturbed = f"disturbed-{number}"
        ingest_handbook(home.client, disturbed, changed=kill_in_the_middle)
        if killed:
            break
    assert killed, "the worker was killed while jobs ran"
    assert home.supervisor.processes()["worker"].pid not in killed
    assert chunks(home.client, disturbed) == chunks(home.client, "calm")
    jobs = list(home.client.jobs.list(collection=disturbed))
    assert {job.status for job in jobs} == {"ready"}
    assert home.client.collections.get(disturbed).chunks == home.client.collections.get("calm").chunks
