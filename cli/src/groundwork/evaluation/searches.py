"""Questions put to a collection through the public API, a bounded number at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from contracts.retrieval.search import SearchMode, SearchReply
from groundwork.client import Groundwork, GroundworkError
from groundwork.evaluation.calls import all_at_once, patiently
from groundwork.evaluation.questions import Question


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

    def one(way: Way, question: Question, stopping: threading.Event) -> tuple[Way, Question, SearchReply, float]:
        return way, question, *_search(client, collection, question, way, depth, stopping)

    work = (partial(one, way, question) for question in questions for way in ways)
    for done, (way, question, reply, milliseconds) in enumerate(all_at_once(work, at_once), start=1):
        found[way.name].add(question, reply, milliseconds)
        progress(done)
    return found


def _search(
    client: Groundwork, collection: str, question: Question, way: Way, depth: int, stopping: threading.Event
) -> tuple[SearchReply, float]:
    """One search and the milliseconds of its last try."""
    began = 0.0

    def search() -> SearchReply:
        nonlocal began
        began = time.perf_counter()
        return client.search(
            collection, question.text, limit=depth, mode=way.mode, rerank=way.rerank, group_by="document"
        )

    reply = patiently(search, stopping)
    milliseconds = (time.perf_counter() - began) * 1000
    if way.rerank and "rerank_unavailable" in reply.degraded:
        raise NoReranker(
            "There is no reranker to measure: declare one in the models file (kind: rerank), or leave out --rerank."
        )
    return reply, milliseconds
