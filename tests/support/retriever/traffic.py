"""Traffic of a retriever that may die at any moment, and a ledger of what it has acknowledged.

Each document belongs to one writer, so that its state is known exactly: what was acknowledged, and at most one write
without an answer, which may have taken effect or not. The words of each text name its document and revision.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any

import httpx2

CHUNKS, BATCH = 12, 5
LANGUAGES = ("de", "en", "auto")
STEPS = 500
"""After so many a reindex that never ends has failed."""


@dataclass(frozen=True)
class State:
    """What is known of a document. `wanted` is the write without an answer yet; an empty list of texts deletes."""

    revision: int = 0
    texts: tuple[str, ...] = ()
    wanted: tuple[str, ...] | None = None
    floor: int = 0
    """The collection's revision when the write began."""

    def allows(self, shown: tuple[str, ...]) -> bool:
        """Whether readers may see these texts in this order of chunks."""
        if shown == self.texts or shown == self.wanted:
            return True
        arriving = not self.texts and self.wanted is not None  # a first revision is searchable as it arrives
        return arriving and self.wanted is not None and set(shown) < set(self.wanted)


@dataclass
class Ledger:
    """What has been acknowledged; safe to read while writers write, since a state is replaced whole."""

    states: dict[tuple[str, str], State] = field(default_factory=dict)
    floors: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """The highest revision that each collection was seen with."""
    writes: int = 0
    searches: int = 0
    flips: int = 0
    """Reindexes that ended."""
    builds: int = 0
    """Kills that came while an index was being built."""
    indexed: int = 0
    """Kills that came when a generation had an index."""
    _lock: Lock = field(default_factory=Lock)

    def saw(self, collection: str, revision: int) -> None:
        """Note a collection's revision."""
        with self._lock:
            self.floors[collection] = max(self.floors[collection], revision)

    def count(self, *, writes: int = 0, searches: int = 0) -> None:
        """Note what was answered."""
        with self._lock:
            self.writes += writes
            self.searches += searches


def checked(response: httpx2.Response) -> httpx2.Response:
    """The answer, which must be a success."""
    assert response.status_code < 300, f"{response.request.method} {response.request.url}: {response.text}"
    return response


def word_of(document: str) -> str:
    """The word that all texts of a document have and no other document's."""
    return "w" + document.replace("-", "")


@dataclass
class Writer:
    """Writes, changes and deletes its own documents, and takes up a write that was cut off."""

    ledger: Ledger
    collection: str
    documents: list[str]
    chance: random.Random

    def run(self, client: httpx2.Client, over: Event) -> None:
        """Work until the retriever dies or it is over."""
        try:
            self.resume(client)
            while not over.is_set():
                self._write(client, self.chance.choice(self.documents))
        except httpx2.TransportError:
            over.set()

    def resume(self, client: httpx2.Client) -> None:
        """Repeat the write that had no answer."""
        for document in self.documents:
            state = self._state(document)
            if state.wanted is not None:
                self._send(client, document, state.revision + (1 if state.wanted else 0), state.wanted)

    def _state(self, document: str) -> State:
        return self.ledger.states.get((self.collection, document), State())

    def _write(self, client: httpx2.Client, document: str) -> None:
        state = self._state(document)
        wanted: tuple[str, ...] = ()
        if not state.texts or self.chance.random() < 0.7:
            kept = state.texts[: self.chance.randint(0, CHUNKS)]
            revision = state.revision + 1
            fresh = (f"{word_of(document)} r{revision} part {at}" for at in range(self.chance.randint(1, CHUNKS)))
            wanted = (*kept, *fresh)
        self._send(client, document, state.revision + (1 if wanted else 0), wanted)

    def _send(self, client: httpx2.Client, document: str, revision: int, wanted: tuple[str, ...]) -> None:
        key = (self.collection, document)
        before = self._state(document)
        floor = before.floor if before.wanted is not None else self.ledger.floors[self.collection]
        self.ledger.states[key] = State(before.revision, before.texts, wanted, floor)
        path = f"/v1/collections/{self.collection}/documents/{document}"
        if wanted:
            self._index(client, f"{path}/revisions/{revision}", wanted)
        else:
            checked(client.delete(path, params={"revision": revision}))
            self.ledger.count(writes=1)
        self.ledger.states[key] = State(revision, wanted)

    def _index(self, client: httpx2.Client, path: str, texts: tuple[str, ...]) -> None:
        facts = {"title": "T", "source": "s.txt", "media_type": "text/plain", "metadata": {"n": len(texts)}}
        for at in range(0, len(texts), BATCH):
            chunks = [
                {"ordinal": ordinal, "text": texts[ordinal], "start": 0, "end": len(texts[ordinal])}
                for ordinal in range(at, min(at + BATCH, len(texts)))
            ]
            answer = client.put(f"{path}/chunks", json={"document": facts, "chunks": chunks})
            if answer.status_code == 409:  # the commit was made, and its answer lost
                break
            checked(answer)
            self.ledger.count(writes=1)
        committed = checked(client.post(f"{path}/commit", json={"document": facts, "chunks": len(texts)})).json()
        self.ledger.count(writes=1)
        self.ledger.saw(self.collection, committed["collection_revision"])


@dataclass
class Reindexer:
    """Reindexes a collection again and again, and takes up a shadow that was being built when the retriever died."""

    ledger: Ledger
    collection: str
    number: int = 0

    def run(self, client: httpx2.Client, over: Event) -> None:
        """Work until the retriever dies or it is over."""
        try:
            while not over.is_set():
                self.resume(client)
        except httpx2.TransportError:
            over.set()

    def resume(self, client: httpx2.Client) -> None:
        """Bring the reindex under way to its end."""
        path = f"/v1/collections/{self.collection}/shadows"
        wanted = {"language": LANGUAGES[self.number % len(LANGUAGES)]}
        shadow = checked(client.post(path, json={"key": f"job-{self.number}", "wanted": wanted})).json()
        for _ in range(STEPS):
            if shadow["state"] != "building":
                break
            checked(client.post(f"{path}/{shadow['generation']}/copy"))
            shadow = checked(client.post(f"{path}/{shadow['generation']}/flip")).json()
        assert shadow["state"] == "active", shadow
        self.number += 1
        self.ledger.flips += 1


def by_ordinal(hits: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """A document's texts without their order, which a ranking does not keep."""
    return tuple(sorted(hit["text"] for hit in hits))


def check_search(client: httpx2.Client, ledger: Ledger, key: tuple[str, str], mode: str) -> None:
    """One search for a document: all that was acknowledged and nothing else; of one revision; revisions never fall."""
    collection, document = key
    collections = sorted({name for name, _ in ledger.states})
    before, floor = ledger.states[key], ledger.floors[collection]
    only = {"must": [{"key": "document_id", "match": document}]}
    body = {"collections": collections, "query": word_of(document), "mode": mode, "limit": 100, "filter": only}
    reply = checked(client.post("/v1/search", json=body)).json()
    ledger.count(searches=1)
    hits = [hit for hit in reply["hits"] if hit["collection"] == collection]
    assert reply["collection_revisions"][collection] >= floor, f"the revision of {collection} went back"
    assert len({hit["revision"] for hit in hits}) <= 1, f"a mixture of revisions of {document}"
    assert len({hit["chunk_id"] for hit in hits}) == len(hits), f"a chunk of {document} twice"
    if ledger.states[key] is before:  # no write began or ended meanwhile
        shown = by_ordinal(hits)
        ordered = State(
            before.revision,
            tuple(sorted(before.texts)),
            None if before.wanted is None else tuple(sorted(before.wanted)),
        )
        assert ordered.allows(shown), f"{document}: {before} but {shown}"
    ledger.saw(collection, reply["collection_revisions"][collection])


def search_on(client: httpx2.Client, ledger: Ledger, over: Event, chance: random.Random) -> None:
    """Search until the retriever dies or it is over."""
    try:
        while not over.is_set():
            if ledger.states:
                check_search(client, ledger, chance.choice(list(ledger.states)), chance.choice(["hybrid", "sparse"]))
    except httpx2.TransportError:
        over.set()


def check_whole(client: httpx2.Client, ledger: Ledger) -> None:
    """Everything acknowledged is there and nothing is half there, while nobody writes."""
    for key, state in ledger.states.items():
        collection, document = key
        answer = client.get(f"/v1/collections/{collection}/documents/{document}/chunks?limit=100")
        shown = tuple(chunk["text"] for chunk in checked(answer).json()["data"]) if answer.status_code != 404 else ()
        assert shown in (state.texts, state.wanted), f"{document}: {state} but {shown}"
        check_search(client, ledger, key, "sparse")
        if state.wanted is not None and shown == state.wanted != state.texts:
            assert ledger.floors[collection] > state.floor, f"{document} changed and its collection's revision did not"
    for collection in {name for name, _ in ledger.states}:
        facts = checked(client.get(f"/v1/collections/{collection}")).json()
        settled = [state for (name, _), state in ledger.states.items() if name == collection]
        if all(state.wanted is None for state in settled):
            assert facts["chunks"] == sum(len(state.texts) for state in settled)
            assert facts["documents"] == sum(bool(state.texts) for state in settled)
