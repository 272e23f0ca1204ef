"""Work that is under way when the power fails: uploads, runs of an agent and searches, each noted once acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from contracts.agents.runs import Run
from groundwork.client import Groundwork
from groundwork.errors import GroundworkError

UPLOADS, RUNS = 40, 8
COLLECTION = "power"
AGENT = {
    "model": "default",
    "instructions": "Write long stories.",
    "tools": [],
    "limits": {"steps": 2, "tokens": 400},
}
"""Its runs last for seconds on any machine, so that some are under way until the last container is killed."""


@dataclass
class PowerLoad:
    """Three threads of calls; each ends with the first that fails, or when it has made all of its own."""

    client: Groundwork
    documents: dict[str, str] = field(default_factory=dict)
    """Acknowledged jobs → their documents."""
    runs: list[Run] = field(default_factory=list)
    """Acknowledged runs."""
    searches: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def going(self) -> Iterator[None]:
        """Make the calls while the block runs; afterwards all of them have ended."""
        self.client.collections.ensure(COLLECTION)
        self.client.agents.save("reader", AGENT)
        threads = [
            threading.Thread(target=self._until_it_fails, args=(work,))
            for work in (self._upload, self._start_runs, self._search)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join(120)

    def is_in_the_middle(self) -> bool:
        """Half of the uploads are in, searches are answered, and a run is under way while others wait."""
        if len(self.documents) < UPLOADS // 2 or len(self.runs) < RUNS // 2 or not self.searches:
            return False
        return "running" in {self.client.runs.get(run.thread_id, run.id).status for run in self.runs}

    def _until_it_fails(self, work: Callable[[], None]) -> None:
        try:
            work()
        except GroundworkError:
            return  # the power has failed

    def _upload(self) -> None:
        for number in range(UPLOADS):
            text = f"Note {number}: the lamp of pier {number} is lit at {number} minutes past nine."
            done = self.client.documents.upload(COLLECTION, text.encode(), filename=f"note-{number}.txt")
            assert done.job is not None
            self.documents[done.job.id] = done.document.id

    def _start_runs(self) -> None:
        for number in range(RUNS):
            thread = self.client.threads.create()
            self.runs.append(self.client.runs.start(thread.id, "reader", f"Write a story about {number} ships."))

    def _search(self) -> None:
        while not self.over.is_set():
            self.client.search("handbook", "hotel price limit", limit=3)
            self.searches += 1
