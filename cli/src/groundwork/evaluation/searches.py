"""Questions put to a collection through the public API, a bounded number at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from contracts.retrieval.search import SearchMode, SearchReply
from groundwork.client import ApiError, Groundwork, GroundworkError
from groundwork.evaluation.questions import Question

TRIES = 5
LONGEST_WAIT = 30.0
"""Seconds; a server that is overloaded for longer is given up."""


class NoReranker(GroundworkError):
    """Reranking was asked for where there is none."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to search that is to be measured."""

    mode: SearchMode
    rerank: bool = False

    @property
    def name(self) -> str:
        """As tables call it."""
        return f"{self.mode} + rerank" if self.rerank else self.mode


@dataclass
class Found:
    """What one way found: documents by question, the best first, and how long each search took, in milliseconds."""

    rankings: dict[str, list[str]] = field(default_factory=dict)
    milliseconds: dict[str, float] = field(default_factory=dict)
    degraded: dict[str, int] = field(default_factory=dict)
    """How many searches went without something, by what it was."""

    def add(self, question: Question, reply: SearchReply, milliseconds: float) -> None:
        """Keep one answer."""
        self.rankings[question.id] = [hit.document_id for hit in reply.hits]
        self.milliseconds[question.id] = milliseconds
        for what in reply.degraded:
            self.degraded[what] = self.degraded.get(what, 0) + 1


def ask_all(
    client: Groundwork,
    collection: str,
    questions: Sequence[Question],
    ways: Sequence[Way],
    *,
    depth: int,
    at_once: int,
    progress: Callable[[int], None],
) -> dict[str, Found]:
    """Each question's `depth` best documents each way; `progress` is told how many searches are done.

    Raises what a search raised (`ApiError`, `Unreachable`) and `NoReranker`; searches that have not begun are left out.
    """
    found = {way.name: Found() for way in ways}
    stopping = threading.Event()

    def one(way: Way, question: Question) -> tuple[Way, Question, SearchReply, float]:
        return way, question, *_search(client, collection, question, way, depth, stopping)

    with ThreadPoolExecutor(at_once, thread_name_prefix="eval") as pool:
        calls = [pool.submit(one, way, question) for question in questions for way in ways]
        try:
            for done, call in enumerate(as_completed(calls), start=1):
                way, question, reply, milliseconds = call.result()
                found[way.name].add(question, reply, milliseconds)
                progress(done)
        finally:
            stopping.set()
            pool.shutdown(wait=True, cancel_futures=True)
    return found


def _search(
    client: Groundwork, collection: str, question: Question, way: Way, depth: int, stopping: threading.Event
) -> tuple[SearchReply, float]:
    """One search and its milliseconds; tried again when the server says that it is busy and for how long."""
    for attempt in range(1, TRIES + 1):
        began = time.perf_counter()
        try:
            reply = client.search(
                collection, question.text, limit=depth, mode=way.mode, rerank=way.rerank, group_by="document"
            )
        except ApiError as error:
            wait = error.retry_after
            if error.status not in (429, 503) or wait is None or wait > LONGEST_WAIT or attempt == TRIES:
                raise
            if stopping.wait(wait):
                raise
            continue
        if way.rerank and "rerank_unavailable" in reply.degraded:
            raise NoReranker(
                "There is no reranker to measure: declare one in the models file (kind: rerank), or leave out --rerank."
            )
        return reply, (time.perf_counter() - began) * 1000
    raise AssertionError("the last try returns or raises")
