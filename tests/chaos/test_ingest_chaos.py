"""All that ingest stands on is killed again and again while documents come, change and go: nothing is lost or stuck.

`make chaos-ingest [DOCUMENTS=folder] [SEED=n]`: with a folder, a sample of its documents; else documents made here.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from tests.support.home.stack import RunningHome, running_home
from tests.support.ingest.made_documents import Pile

from contracts.documents.jobs import FINAL_JOB_STATUSES
from groundwork.client import ApiError, Groundwork
from groundwork.client.transfers.files import find_files
from groundwork.errors import Unreachable

DOCUMENTS, KILLS = 150, 25
LARGEST = 150_000
"""Bytes of a sampled document, so that the whole takes minutes."""
VICTIMS = ("worker", "ingest", "retriever", "inference", "valkey")
SETTINGS = {"INGEST_LEASE_SECONDS": "5", "INGEST_POLL_SECONDS": "1", "INGEST_PARSE_SECONDS": "60"}
KILLS_WHILE_COMING = 20
"""The kills while documents come in; during the rest, once all are in, some are changed and some deleted."""
SECONDS = 1200.0
Chunk = tuple[int, int, str]


@dataclass
class Outcome:
    """How a document ended: with these chunks, or for this reason."""

    status: str
    code: str | None
    chunks: list[Chunk]


@dataclass
class Chaos:
    """Kills processes one after another; a process that is not back yet is spared."""

    home: RunningHome
    random: random.Random
    killed: list[str] = field(default_factory=list)
    allowed: int = KILLS_WHILE_COMING
    _dead: dict[str, int] = field(default_factory=dict)

    def run(self, over: threading.Event) -> None:
        """Until there were enough, as many at a time as are allowed."""
        while len(self.killed) < KILLS and not over.wait(self.random.uniform(0.5, 3.0)):
            if len(self.killed) < self.allowed:
                self._kill_one()

    def _kill_one(self) -> None:
        states = self.home.supervisor.processes()
        back = [name for name in VICTIMS if states[name].pid and states[name].pid != self._dead.get(name)]
        if not back:
            return
        name = min(back, key=lambda each: (self.killed.count(each), self.random.random()))
        try:
            victim = psutil.Process(states[name].pid)
            for process in (*victim.children(recursive=True), victim):
                process.kill()
        except psutil.NoSuchProcess:
            return
        self._dead[name] = victim.pid
        self.killed.append(name)


@pytest.fixture(scope="module")
def seed() -> int:
    return int(os.environ.get("SEED") or 1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, seed: int) -> list[Path]:
    folder = os.environ.get("DOCUMENTS")
    if not folder:
        return Pile(tmp_path_factory.mktemp("documents"), seed).write(DOCUMENTS)
    found = [file for file in find_files([folder]).files if 0 < file.stat().st_size <= LARGEST]
    return random.Random(seed).sample(found, min(DOCUMENTS, len(found)))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHome]:
    with running_home(tmp_path_factory.mktemp("ingest-chaos") / "home", SETTINGS) as running:
        yield running


def id_of(file: Path, number: int) -> str:
    """The id under which a file is uploaded."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", f"{number:03}-{file.name}")[:150]


def upload(
    client: Groundwork, collection: str, file: Path, number: int, deadline: float, content: Path | None = None
) -> bool:
    """Upload until the server has it (an answer may be lost); False if it says that this is no document."""
    pause = threading.Event()
    while time.monotonic() < deadline:
        try:
            client.documents.upload(collection, content or file, document_id=id_of(file, number))
        except ApiError as error:
            if error.status in (400, 415, 422):
                return False
            if error.status < 500 and error.status not in (409, 429):
                raise
        except Unreachable:
            pass
        else:
            return True
        pause.wait(0.3)
    raise AssertionError(f"{file.name} was not accepted in time")


def take_in(client: Groundwork, collection: str, files: list[Path], chaos: Chaos | None = None) -> set[int]:
    """Upload all, spread over the kills; returns which were accepted."""
    deadline, pause = time.monotonic() + SECONDS, threading.Event()

    def one(number: int) -> bool:
        due = KILLS_WHILE_COMING * number // len(files)
        while chaos and len(chaos.killed) < due and time.monotonic() < deadline:
            pause.wait(0.05)
        return upload(client, collection, files[number], number, deadline)

    with ThreadPoolExecutor(3) as pool:
        return {number for number, taken in enumerate(pool.map(one, range(len(files)))) if taken}


def change(client: Groundwork, collection: str, files: list[Path], taken: set[int], chaos: Chaos | None = None) -> None:
    """Give every tenth document other bytes, and delete every tenth; spread over the last kills."""
    deadline, pause = time.monotonic() + SECONDS, threading.Event()
    numbers = sorted(taken)
    for at, number in enumerate(numbers):
        due = KILLS_WHILE_COMING + (KILLS - KILLS_WHILE_COMING) * at // len(numbers)
        while chaos and len(chaos.killed) < due and time.monotonic() < deadline:
            pause.wait(0.05)
        if number % 10 == 0:
            upload(client, collection, files[number], number, deadline, files[numbers[at - 1]])
        elif number % 10 == 5:
            delete(client, collection, id_of(files[number], number), deadline)


def delete(client: Groundwork, collection: str, document_id: str, deadline: float) -> None:
    """Delete until it is gone."""
    pause = threading.Event()
    while time.monotonic() < deadline:
        try:
            client.documents.delete(collection, document_id)
        except ApiError as error:
            if error.status == 404 and error.code == "document_not_found":
                return
            if error.status < 500 and error.status not in (409, 429):
                raise
        except Unreachable:
            pass
        else:
            return
        pause.wait(0.3)
    raise AssertionError(f"{document_id} was not deleted in time")


def settle(client: Groundwork, collection: str) -> None:
    """Wait until no job is under way, and no deletion."""
    deadline, pause = time.monotonic() + SECONDS, threading.Event()
    while time.monotonic() < deadline:
        try:
            over = all(job.status in FINAL_JOB_STATUSES for job in client.jobs.list(collection=collection))
            if over and not list(client.documents.list(collection, status="deleting")):
                return
        except (ApiError, Unreachable):
            pass
        pause.wait(1)
    left = [(job.document_id, job.status, job.stage, job.waiting_on) for job in client.jobs.list(collection=collection)]
    raise AssertionError([each for each in left if each[1] not in FINAL_JOB_STATUSES])


def outcomes(client: Groundwork, collection: str) -> dict[str, Outcome]:
    """How every document ended."""
    return {
        document.id: Outcome(
            document.status,
            document.error.code if document.error else None,
            [(chunk.start, chunk.end, chunk.text) for chunk in client.documents.chunks(collection, document.id)],
        )
        for document in client.documents.list(collection)
    }


def test_nothing_is_lost_doubled_or_stuck_whatever_is_killed(home: RunningHome, files: list[Path], seed: int) -> None:
    client = home.client
    for collection in ("calm", "chaos"):
        client.collections.ensure(collection)
    accepted = take_in(client, "calm", files)
    settle(client, "calm")
    change(client, "calm", files, accepted)
    settle(client, "calm")
    calm = outcomes(client, "calm")
    assert len(calm) < len(accepted) >= min(len(files), 100), "some were deleted"

    chaos, over = Chaos(home, random.Random(seed)), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(chaos.run, over)
        try:
            assert take_in(client, "chaos", files, chaos) == accepted
            settle(client, "chaos")
            chaos.allowed = KILLS
            change(client, "chaos", files, accepted, chaos)
            settle(client, "chaos")
        finally:
            over.set()
            killing.result()
    disturbed = outcomes(client, "chaos")

    ends = Counter(each.code or each.status for each in disturbed.values())
    print(f"\nseed {seed}: {len(calm)} documents of {len(files)} files, killed {dict(Counter(chaos.killed))}")  # noqa: T201  # what `make chaos-ingest` is asked for
    print(f"ended: {dict(ends)}")  # noqa: T201
    assert len(chaos.killed) >= KILLS
    assert set(disturbed) == set(calm), "an accepted upload is missing"
    different = {name: (calm[name], disturbed[name]) for name in calm if calm[name] != disturbed[name]}
    assert not different, different
    assert all(len(set(each.chunks)) == len(each.chunks) for each in disturbed.values()), "a chunk is there twice"
    assert client.collections.get("chaos").chunks == sum(len(each.chunks) for each in calm.values())
