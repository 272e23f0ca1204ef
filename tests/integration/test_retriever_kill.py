"""A retriever that is killed while it indexes comes back with every write that it acknowledged."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any

import httpx2
import pytest
from tests.support.retriever import Tokens, hashed_inference, served

from retriever import filters
from retriever.adapters.edge import EdgeStore
from retriever.adapters.hashed import HashedEmbedder

KILLS = 5
START_SECONDS = 60
FACTS = {"title": "T", "source": "s.txt", "media_type": "text/plain", "metadata": {}}


@dataclass
class Ledger:
    """What was acknowledged: the committed texts of each document; an empty list means deleted."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    writes: int = 0


@dataclass
class Writer:
    """Writes one document after another and can take up again where it was cut off."""

    ledger: Ledger
    chance: random.Random
    next_document: int = 0
    under_way: str = ""
    """The document whose last write has no answer yet: it may be there or not, until the write is repeated."""

    def write(self, client: httpx2.Client) -> None:
        """One document: chunks, commit, sometimes a new revision of an earlier one, sometimes a deletion."""
        name = f"d{self.next_document}"
        kind = self.next_document % 4
        self._index(client, name, [f"word{self.next_document} paragraph {at}" for at in range(20)])
        if kind == 1:
            earlier = f"d{self.next_document - 1}"
            self._index(client, earlier, [*self.ledger.texts[earlier][5:], f"changed{self.next_document}"])
        elif kind == 3:
            earlier = f"d{self.next_document - 1}"
            up_to = self.ledger.revisions[earlier]
            self.under_way = earlier
            _checked(client.delete(f"/v1/collections/c/documents/{earlier}?revision={up_to}"))
            self.ledger.texts[earlier] = []
        self.next_document += 1
        self.under_way = ""

    def _index(self, client: httpx2.Client, name: str, texts: list[str]) -> None:
        if self.ledger.texts.get(name) == texts:
            return
        self.under_way = name
        revision = self.ledger.revisions.get(name, 0) + 1
        path = f"/v1/collections/c/documents/{name}/revisions/{revision}"
        for at in range(0, len(texts), 7):
            chunks = [
                {"ordinal": ordinal, "text": texts[ordinal], "start": 0, "end": len(texts[ordinal])}
                for ordinal in range(at, min(at + 7, len(texts)))
            ]
            answer = client.put(f"{path}/chunks", json={"document": FACTS, "chunks": chunks})
            if answer.status_code == 409:  # the commit was made, and its answer lost
                break
            _checked(answer)
            self.ledger.writes += 1
        _checked(client.post(f"{path}/commit", json={"document": FACTS, "chunks": len(texts)}))
        self.ledger.texts[name], self.ledger.revisions[name] = texts, revision


def _checked(response: httpx2.Response) -> Any:
    assert response.status_code < 300, response.text
    return response


@contextmanager
def _retriever(folder: Path, tokens: Tokens, inference: str) -> Iterator[tuple[subprocess.Popen[bytes], httpx2.Client]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "RETRIEVER_PORT": str(port),
        "RETRIEVER_DATA_DIR": str(folder / "data"),
        "RETRIEVER_INFERENCE_URL": inference,
        "RETRIEVER_DELEGATION_PUBLIC_KEY_FILE": str(tokens.key_file),
    }
    with (folder / "retriever.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "retriever"], env=environment, stdout=log, stderr=log)
    headers = {"Authorization": f"Bearer {tokens.token()}"}
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
            _wait_ready(process, client)
            yield process, client
    finally:
        process.kill()
        process.wait()


def _wait_ready(process: subprocess.Popen[bytes], client: httpx2.Client) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the retriever ended at its start"
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            continue
    pytest.fail("the retriever was not ready in time")


def _check(client: httpx2.Client, writer: Writer) -> None:
    for name, texts in writer.ledger.texts.items():
        if name == writer.under_way:
            continue
        answer = client.get(f"/v1/collections/c/documents/{name}/chunks?limit=100")
        shown = [chunk["text"] for chunk in answer.json()["data"]] if answer.status_code == 200 else []
        assert shown == texts, name
        word = f"word{name[1:]}"
        body = {"collections": ["c"], "query": word, "mode": "sparse", "limit": 50}
        hits = _checked(client.post("/v1/search", json=body)).json()["hits"]
        found = {hit["text"] for hit in hits if hit["document_id"] == name}
        assert found == {text for text in texts if text.startswith(f"{word} ")}, name


async def test_every_acknowledged_write_survives_kills_at_random_moments(tmp_path: Path) -> None:
    tokens, ledger = Tokens(tmp_path), Ledger()
    writer = Writer(ledger, random.Random(7))
    with served(hashed_inference(HashedEmbedder())) as inference:
        for kill in range(KILLS + 1):
            with _retriever(tmp_path, tokens, inference) as (process, client):
                if kill == 0:
                    _checked(client.post("/v1/collections", json={"name": "c"}))
                _check(client, writer)
                if kill == KILLS:
                    writer.write(client)
                    _check(client, writer)
                    break
                _write_until_killed(process, client, writer)
    assert ledger.writes > KILLS
    store = EdgeStore(tmp_path / "data" / "vectors")
    (vectors,) = [name for name in await store.generations() if name.startswith("col_")]
    points = await store.count(vectors, filters.Where(must=(filters.Within(("ordinal",), gte=0),)))
    assert points == sum(len(texts) for texts in ledger.texts.values())
    await store.close()


def _write_until_killed(process: subprocess.Popen[bytes], client: httpx2.Client, writer: Writer) -> None:
    timer = Timer(writer.chance.uniform(0.2, 2.5), lambda: process.send_signal(signal.SIGKILL))
    timer.start()
    try:
        while True:
            writer.write(client)
    except httpx2.TransportError:
        process.wait()
    finally:
        timer.cancel()
