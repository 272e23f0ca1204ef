from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from contracts.retrieval.collections import ShadowIndex
from contracts.retrieval.reindex import ReindexRequest, ShadowRequest
from ingest.errors import BlobMissing
from ingest.jobs.leased_job import IngestJob
from ingest.steps.rechunker import Rechunker, facts_of
from ingest.tables import REVISIONS
from servicekit.core.errors import PeerError
from servicekit.jobs.outcomes import Stopping

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service

TEXT = "\n\n".join(f"Paragraph {number}. " + "the word and the price " * 30 for number in range(4))
WANTED = ReindexRequest.model_validate({"chunking": {"strategy": "fixed", "max_tokens": 16}})


async def shadow_of(service: Service) -> ShadowIndex:
    await service.index.begin_shadow("token", "handbook", ShadowRequest(key="k", wanted=WANTED))
    shadow = (await service.index.get_collection("token", "handbook")).index.shadow
    assert shadow is not None
    return shadow


async def read(service: Service) -> tuple[IngestJob, dict[str, Any], Rechunker]:
    """A document that is indexed, its revision, and a job of another one to work in."""
    await service.upload(TEXT, document_id="a", metadata={"team": "hr"})
    await service.work_all()
    await service.upload("Other.", document_id="b")
    job = await service.worker.queue.claim("worker")
    assert job is not None
    async with service.database.read() as connection:
        row = (await connection.execute(select(REVISIONS).where(REVISIONS.c.bytes > 100))).mappings().one()
    return job, dict(row), service.worker.kind.reindexer.rechunker


async def test_a_revision_is_cut_the_shadow_s_way_from_its_kept_text_and_is_whole_there(service: Service) -> None:
    job, revision, rechunker = await read(service)
    shadow = await shadow_of(service)
    sent = await rechunker.send(job, shadow, "a", revision)
    (built,) = service.index.shadows["handbook"]
    staged = [chunk for _, chunk in sorted(built.staged["a", 1].items())]
    assert (len(staged), built.whole) == (sent, {"a": 1})
    assert sent > len(service.index.found("handbook", "a"))
    assert [chunk.ordinal for chunk in staged] == list(range(sent))
    text = await service.text("a")
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in staged)
    assert service.index.found("handbook", "a"), "what is searched stays as it is"


async def test_a_stopping_job_sends_no_further_batch_and_says_nothing_is_whole(service: Service) -> None:
    job, revision, rechunker = await read(service)
    shadow = await shadow_of(service)
    job.stopping.set()
    with pytest.raises(Stopping):
        await rechunker.send(job, shadow, "a", revision)
    assert service.index.shadows["handbook"][0].whole == {}


async def test_a_shadow_that_is_gone_and_a_text_that_is_missing_are_told(service: Service) -> None:
    job, revision, rechunker = await read(service)
    shadow = await shadow_of(service)
    await service.index.abandon_shadow("token", "handbook", "k")
    with pytest.raises(PeerError) as gone:
        await rechunker.send(job, shadow, "a", revision)
    assert gone.value.code == "shadow_gone"
    service.blobs._blobs.clear()
    with pytest.raises(BlobMissing):
        await rechunker.send(job, shadow, "a", revision)


async def test_the_index_is_told_of_a_document_what_its_revision_says(service: Service) -> None:
    _, revision, _ = await read(service)
    facts = facts_of(revision)
    assert (facts.title, facts.source, facts.media_type, facts.metadata) == (
        "doc",
        "doc.txt",
        "text/plain",
        {"team": "hr"},
    )
