"""Batches of texts for an embedding model: by tokens and length, bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from inference.protocol.engines import Vectors
from inference.queueing.fair_queue import FairQueue

WINDOW = 256
"""How many waiting inputs are looked at for a batch of like lengths."""


class QueueBound(Exception):
    """As many tokens wait as may; `waiting` of them."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} tokens are waiting")
        self.waiting = waiting


class Job:
    """One call's texts, and their vectors as they come."""

    def __init__(self, texts: Sequence[str], lengths: Sequence[int], dimensions: int, tenant: str = "") -> None:
        self.tenant = tenant
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


class TextQueue:
    """The queue of waiting texts. A batch's cost is its longest text times its size, as it is padded to that.

    Tenants take turns: each batch holds the text that has waited longest of the tenant whose turn it is, so none
    starves; the others are those of the next `WINDOW`, of all tenants, that are nearest to it in length, so little is
    padding.
    """

    def __init__(self, waiting_tokens: int) -> None:
        self._most_waiting = waiting_tokens
        self._items: FairQueue[Item] = FairQueue()
        self._counting: Counter[str] = Counter()
        """Tokens of texts whose exact number is being found out, by tenant."""
        self.tokens = 0
        """Tokens that wait, those of abandoned jobs among them until they are come upon."""

    @property
    def inputs(self) -> int:
        """Texts that wait."""
        return len(self._items)

    @contextmanager
    def counting(self, tokens: int, tenant: str = "") -> Iterator[None]:
        """Texts of about so many tokens are in the queue while the block runs; raises `QueueBound` as `add` does."""
        self._check(tokens, tenant)
        self._counting[tenant] += tokens
        try:
            yield
        finally:
            self._counting[tenant] -= tokens
            self._counting += Counter()  # forgets tenants that have none

    def add(self, job: Job) -> None:
        """Put a job's texts in the queue; raises `QueueBound` if others already fill it."""
        self._check(job.tokens, job.tenant)
        self.tokens += job.tokens
        self._items.extend(job.tenant, (Item(job, index) for index in range(len(job.texts))))

    def _check(self, tokens: int, tenant: str) -> None:
        """A queue that other tenants fill is twice as long for one that has nothing in it."""
        waiting = self.tokens + self._counting.total()
        is_first = not self._items.of(tenant) and not self._counting[tenant]
        if waiting and waiting + tokens > self._most_waiting * (1 + (is_first and bool(tenant))):
            raise QueueBound(waiting)

    def next(self, batch_tokens: int) -> list[Item]:
        """The next batch, of at most `batch_tokens` (or one text); empty when nothing waits.

        Abandoned jobs' texts are dropped.
        """
        window = self._window()
        if not window:
            return []
        batch = _alike([item for _, item in window], batch_tokens)
        chosen = set(map(id, batch))
        self._items.requeue([each for each in window if id(each[1]) not in chosen], last=window[0][0])
        self.tokens -= sum(item.tokens for item in batch)
        return batch

    def _window(self) -> list[tuple[str, Item]]:
        window: list[tuple[str, Item]] = []
        while len(window) < WINDOW and (taken := self._items.take(WINDOW - len(window))):
            window += [each for each in taken if not each[1].job.abandoned]
            self.tokens -= sum(item.tokens for _, item in taken if item.job.abandoned)
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
