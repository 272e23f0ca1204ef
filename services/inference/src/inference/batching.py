"""Batches of texts for an embedding model: by tokens and length, queries before bulk, bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from inference.ports import Priority, Vectors

WINDOW = 256
"""How many waiting inputs are looked at for a batch of like lengths."""


class QueueBound(Exception):
    """As many tokens wait as may; `waiting` of them."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} tokens are waiting")
        self.waiting = waiting


class Job:
    """One call's texts, and their vectors as they come."""

    def __init__(self, texts: Sequence[str], lengths: Sequence[int], dimensions: int) -> None:
        self.texts = texts
        self.lengths = lengths
        self.vectors: Vectors = np.empty((len(texts), dimensions), dtype=np.float32)
        self.missing = len(texts)
        self.abandoned = False

    @property
    def tokens(self) -> int:
        """Tokens of all texts together."""
        return sum(self.lengths)


@dataclass(frozen=True, slots=True)
class Item:
    """One text of a job."""

    job: Job
    index: int

    @property
    def text(self) -> str:
        """What is to be embedded."""
        return self.job.texts[self.index]

    @property
    def tokens(self) -> int:
        """Its length."""
        return self.job.lengths[self.index]


class Batches:
    """The line of waiting texts. A batch's cost is its longest text times its size, as it is padded to that.

    Each batch holds the text that has waited longest, so none starves; the others are those of the next `WINDOW`
    that are nearest to it in length, so little is padding.
    """

    def __init__(self, waiting_tokens: int) -> None:
        self._most_waiting = waiting_tokens
        self._lines: dict[Priority, deque[Item]] = {"query": deque(), "bulk": deque()}
        self._waiting: dict[Priority, int] = {"query": 0, "bulk": 0}

    @property
    def inputs(self) -> int:
        """Texts that wait."""
        return sum(len(line) for line in self._lines.values())

    def add(self, job: Job, priority: Priority) -> None:
        """Put a job's texts in line; raises `QueueBound` if others already fill it."""
        waiting = self._waiting[priority]
        if waiting and waiting + job.tokens > self._most_waiting:
            raise QueueBound(waiting)
        self._waiting[priority] += job.tokens
        self._lines[priority].extend(Item(job, index) for index in range(len(job.texts)))

    def next(self, batch_tokens: int) -> list[Item]:
        """The next batch, of one priority and at most `batch_tokens` (or one text); empty when nothing waits.

        Abandoned jobs' texts are dropped.
        """
        for priority, line in self._lines.items():
            window = self._window(priority, line)
            if window:
                batch = _alike(window, batch_tokens)
                chosen = set(map(id, batch))
                line.extendleft(item for item in reversed(window) if id(item) not in chosen)
                self._waiting[priority] -= sum(item.tokens for item in batch)
                return batch
        return []

    def _window(self, priority: Priority, line: deque[Item]) -> list[Item]:
        window: list[Item] = []
        while line and len(window) < WINDOW:
            item = line.popleft()
            if item.job.abandoned:
                self._waiting[priority] -= item.tokens
            else:
                window.append(item)
        return window


def _alike(window: Sequence[Item], budget: int) -> list[Item]:
    oldest, *others = window
    batch, longest = [oldest], oldest.tokens
    for item in sorted(others, key=lambda item: abs(item.tokens - oldest.tokens)):
        longest_then = max(longest, item.tokens)
        if longest_then * (len(batch) + 1) > budget:
            break
        batch.append(item)
        longest = longest_then
    return batch


def finished(items: Iterable[Item], vectors: Vectors) -> list[Job]:
    """Put a batch's vectors where they belong; the jobs that are complete with it."""
    done: list[Job] = []
    for item, vector in zip(items, vectors, strict=True):
        item.job.vectors[item.index] = vector
        item.job.missing -= 1
        if item.job.missing == 0:
            done.append(item.job)
    return done
