"""What was deleted is gone from the very next search and answer, also while others search."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest
from tests.support.home.stack import RunningHome

from contracts.retrieval.search import Filter
from groundwork.client import Groundwork

NAME, NUMBER = "read-your-writes", 3


@contextmanager
def others_searching(home: RunningHome) -> Iterator[None]:
    """Two more callers, who search all the time."""
    over = Event()

    def search() -> None:
        with Groundwork(home.base_url, home.admin_key) as client:
            while not over.is_set():
                client.search(NAME, "lantern oil")

    with ThreadPoolExecutor(2) as pool:
        searching = [pool.submit(search) for _ in range(2)]
        try:
            yield
        finally:
            over.set()
        for each in searching:
            each.result()


@pytest.fixture(scope="module")
def documents(home: RunningHome) -> list[str]:
    home.client.collections.ensure(NAME)
    names = [f"lamp-{at}" for at in range(NUMBER)]
    for name in names:
        text = f"The lantern {name} burns {name.replace('-', '')} oil of whale in winter."
        job = home.client.documents.add_text(NAME, text, document_id=name, metadata={"kind": "lamp"}).job
        assert job is not None
        assert home.client.jobs.wait(job.id).status == "ready"
    return names


def test_a_deleted_document_is_in_no_search_and_no_answer_after_it(home: RunningHome, documents: list[str]) -> None:
    lamps = Filter.model_validate({"must": [{"key": "metadata.kind", "match": "lamp"}]})
    assert {hit.document_id for hit in home.client.search(NAME, "lantern", filter=lamps).hits} == set(documents)
    with others_searching(home):
        for at, gone in enumerate(documents):
            home.client.documents.delete(NAME, gone)
            hits = [
                *home.client.search(NAME, "lantern oil").hits,
                *home.client.search(NAME, "lantern oil", filter=lamps).hits,
                *home.client.search(NAME, gone, mode="sparse").hits,
            ]
            assert {hit.document_id for hit in hits} == set(documents[at + 1 :])
            answer = home.client.ask(NAME, f"What does the lantern {gone} burn?")
            assert gone.replace("-", "") not in answer.text
            assert all(citation.document_id not in documents[: at + 1] for citation in answer.citations)
