from __future__ import annotations

import json

from services.ingest.tests.api.client import Api, error

from contracts.retrieval.chunks import ChunkBatch, ChunkInput, DocumentFacts
from ingest.testing.index import MemoryIndex


def test_jobs_that_are_over_or_not_failed_refuse_cancel_and_retry(api: Api) -> None:
    job = api.text().json()["job"]
    assert error(api.call("POST", f"/v1/jobs/{job['id']}/retry")) == (409, "job_not_failed")
    assert api.call("POST", f"/v1/jobs/{job['id']}/cancel").json()["status"] == "cancelled"
    assert error(api.call("POST", f"/v1/jobs/{job['id']}/cancel")) == (409, "job_finished")
    assert api.text().status_code == 202  # the same document again, after its job was cancelled


def test_what_a_cancelled_job_had_sent_is_not_found(api: Api) -> None:
    response = api.text("the word and the price " * 100, document_id="a")
    index = api.worker.kind.pipeline.index
    assert isinstance(index, MemoryIndex)

    async def begin() -> None:
        claimed = await api.worker.queue.claim("worker")
        assert claimed is not None
        await claimed.begin_sending()
        facts = DocumentFacts(title="a", source="a", media_type="text/plain")
        batch = ChunkBatch(document=facts, chunks=[ChunkInput(ordinal=0, text="the", start=0, end=3)])
        await index.put_chunks("", "handbook", "a", 1, batch, 1)

    assert api.client.portal is not None
    api.client.portal.call(begin)
    assert api.call("POST", f"/v1/jobs/{response.json()['job']['id']}/cancel").json()["status"] == "cancelled"
    assert index.found("handbook", "a") == []
    again = api.text("the word and the price " * 100, document_id="a")
    assert (again.status_code, again.json()["document"]["revision"]) == (202, 2)
    api.work()
    assert index.found("handbook", "a")


def test_events_of_a_job_that_is_over_are_its_final_state(api: Api) -> None:
    job = api.text().json()["job"]
    api.work()
    response = api.call("GET", f"/v1/jobs/{job['id']}/events")
    events = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
    assert [each["status"] for each in events] == ["ready"]
