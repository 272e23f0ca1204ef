"""Batches of texts for an embedding model: by tokens and length, bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from inference.ports import Vectors

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


class Line:
    """The line of waiting texts. A batch's cost is its longest text times its size, as it is padded to that.

    Each batch holds the text that has waited longest, so none starves; the others are those of the next `WINDOW`
    that are nearest to it in length, so little is padding.
    """

    def __init__(self, waiting_tokens: int) -> None:
        self._most_waiting = waiting_tokens
        self._items: deque[Item] = deque()
        self._measured = 0
        """Tokens of texts whose exact number is being found out."""
        self.tokens = 0
        """Tokens that wait, those of abandoned jobs among them until they are come upon."""

    @property
    def inputs(self) -> int:
        """Texts that wait."""
        return len(self._items)

    @contextmanager
    def measuring(self, tokens: int) -> Iterator[None]:
        """Texts of about so many tokens are in line while the block runs; raises `QueueBound` as `add` does."""
        self._check(tokens)
        self._measured += tokens
        try:
            yield
        finally:
            self._measured -= tokens

    def add(self, job: Job) -> None:
        """Put a job's texts in line; raises `QueueBound` if others already fill it."""
        self._check(job.tokens)
        self.tokens += job.tokens
        self._items.extend(Item(job, index) for index in range(len(job.texts)))

    def _check(self, tokens: int) -> None:
        waiting = self.tokens + self._measured
        if waiting and waiting + tokens > self._most_waiting:
            raise QueueBound(waiting)

    def next(self, batch_tokens: int) -> list[Item]:
        """The next batch, of at most `batch_tokens` (or one text); empty when nothing waits.

        Abandoned jobs' texts are dropped.
        """
        window = self._window()
        if not window:
            return []
        batch = _alike(window, batch_tokens)
        chosen = set(map(id, batch))
        self._items.extendleft(item for item in reversed(window) if id(item) not in chosen)
        self.tokens -= sum(item.tokens for item in batch)
        return batch

    def _window(self) -> list[Item]:
        window: list[Item] = []
        while self._items and len(window) < WINDOW:
            item = self._items.popleft()
            if item.job.abandoned:
                self.tokens -= item.tokens
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
