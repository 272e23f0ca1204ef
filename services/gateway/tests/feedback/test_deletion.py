from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from services.gateway.tests.feedback.recorded import recorded
from services.gateway.tests.inner_services import Streamed
from services.gateway.tests.installation import Installation
from sqlalchemy import select

from contracts.core.errors import ErrorBody
from gateway.feedback.deletion import delete_tenant
from gateway.feedback.export import FORMATS, FeedbackExport
from gateway.records.repository import RecordRepository
from gateway.storage.tables import feedback, feedback_sources, reviews
from servicekit.core.errors import PeerError

DONE = Streamed((), status=204)
SIZES = {"dimensions": 8, "max_input_tokens": 64, "revision": 1, "chunking": {}, "created_at": "2026-11-01T00:00:00Z"}
COLLECTION = {"name": "hb", "embedding_model": "e", **SIZES, "delete_records": True}
GONE = PeerError(404, ErrorBody(type="not_found", code="document_not_found", message="There is none."))


async def _rows(installation: Installation) -> dict[tuple[str, str], dict[str, Any]]:
    async with installation.deps.database.read() as connection:
        rows = (await connection.execute(select(feedback))).mappings().all()
    return {(row["answer_id"], row["part"]): dict(row) for row in rows}


async def _said(public: httpx2.AsyncClient, installation: Installation, tenant: str = "acme") -> str:
    """Feedback on an answer that quotes two documents, and on one that quotes another."""
    installation.retriever.answers("/v1/collections/hb", {**COLLECTION, "delete_records": False})
    installation.answers.put(tenant, recorded("a", "How many days?", "leave.md", "sick.md"))
    installation.answers.put(tenant, recorded("b", "How many days?", "travel.md"))
    secret = await installation.secret(tenant=tenant)
    for said in (
        {"answer_id": "a", "rating": "down", "comment": "Wrong.", "correction": "It is 20, says leave.md."},
        {"answer_id": "a", "part": {"sentence": 1}, "comment": "As in leave.md."},
        {"answer_id": "a", "part": {"citation": 0}, "labels": ["wrong_source"], "rating": "down"},
        {"answer_id": "b", "rating": "up", "comment": "Right."},
    ):
        answer = await public.post("/v1/feedback", json=said, headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 201, answer.text
    return secret


@pytest.mark.parametrize("before", [False, True], ids=["now", "before-by-a-call-that-was-cut-off"])
async def test_with_a_document_goes_what_was_said_of_answers_that_quoted_it(
    public: httpx2.AsyncClient, installation: Installation, before: bool
) -> None:
    secret = await _said(public, installation)
    path = "/v1/collections/hb/documents/leave.md"
    installation.ingest.answers(path, GONE if before else DONE)
    answer = await public.delete(path, headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == (404 if before else 204), answer.text
    rows = await _rows(installation)
    assert set(rows) == {("a", "answer"), ("b", "answer")}
    gone, stays = rows["a", "answer"], rows["b", "answer"]
    assert (gone["verdict"], gone["comment"], gone["correction"], gone["withheld"]) == (-1, None, None, True)
    assert (stays["comment"], stays["withheld"]) == ("Right.", False)


async def test_what_was_said_before_its_record_was_written_goes_with_the_document_and_its_records(
    public: httpx2.AsyncClient, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Authorization": f"Bearer {await installation.secret()}"}
    for said in ({"rating": "down", "correction": "20, says leave.md."}, {"part": {"citation": 0}, "comment": "No."}):
        await public.post("/v1/feedback", json={"answer_id": "a", **said}, headers=headers)
    installation.answers.put("acme", recorded("a", "How many days?", "leave.md"))

    async def delete(repository: RecordRepository, *which: str | None, with_records: bool) -> int:
        assert with_records
        installation.answers.delete("acme", "a")
        return 1

    monkeypatch.setattr(RecordRepository, "delete_records_of_document", delete)
    installation.retriever.answers("/v1/collections/hb", COLLECTION)
    installation.ingest.answers("/v1/collections/hb/documents/leave.md", DONE)
    answer = await public.delete("/v1/collections/hb/documents/leave.md", headers=headers)
    assert answer.status_code == 204, answer.text
    (row,) = (await _rows(installation)).values()
    assert (row["part"], row["verdict"], row["correction"], row["withheld"]) == ("answer", -1, None, True)


@pytest.mark.parametrize("late", [False, True], ids=["known", "known-later"])
async def test_what_is_said_later_of_an_answer_that_quoted_a_deleted_document_is_in_no_export(
    public: httpx2.AsyncClient, installation: Installation, late: bool
) -> None:
    secret = await _said(public, installation)
    headers = {"Authorization": f"Bearer {secret}"}
    installation.ingest.answers("/v1/collections/hb/documents/leave.md", DONE)
    assert (await public.delete("/v1/collections/hb/documents/leave.md", headers=headers)).status_code == 204
    if late:
        installation.answers.delete("acme", "a")
    for said in (
        {"answer_id": "a", "user": "jane", "rating": "up", "correction": "Again."},
        {"answer_id": "a", "rating": "up", "correction": "Again."},
        {"answer_id": "b", "user": "jane", "rating": "up", "preferred_over": "a"},
    ):
        assert (await public.post("/v1/feedback", json=said, headers=headers)).status_code in (200, 201)
    installation.answers.put("acme", recorded("a", "How many days?", "leave.md", "sick.md"))
    export = FeedbackExport(installation.deps.database, installation.deps.feedback)
    lines = {kind: [json.loads(line) async for line in export.lines("acme", kind, None, 10)] for kind in FORMATS}  # type: ignore[arg-type]
    assert lines["preference"] == []
    assert [line["completion"][0]["content"] for line in lines["kto"]] == ["Answer b."]
    assert [line["metadata"]["answer_ids"] for line in lines["questions"]] == [["b"]]


async def test_with_a_collection_goes_all_of_it_and_a_key_without_the_collection_takes_nothing(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    secret = await _said(public, installation)
    installation.ingest.answers("/v1/collections/hb", GONE)
    limited = await installation.secret(collections=["open"])
    await public.delete("/v1/collections/hb", headers={"Authorization": f"Bearer {limited}"})
    assert len(await _rows(installation)) == 4
    installation.ingest.answers("/v1/collections/hb", DONE)
    await public.delete("/v1/collections/hb", headers={"Authorization": f"Bearer {secret}"})
    assert {row["comment"] for row in (await _rows(installation)).values()} == {None}


async def test_with_a_tenant_goes_everything_and_nothing_of_another(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    for tenant in ("acme", "stays"):
        await _said(public, installation, tenant)
        reviewer = await installation.secret(tenant=tenant, scopes=["feedback:review"])
        body = {"answer_ids": ["a"]}
        await public.post("/v1/reviews", json=body, headers={"Authorization": f"Bearer {reviewer}"})
    async with installation.deps.database.write() as connection:
        await delete_tenant(connection, "acme")
        for table in (feedback, feedback_sources, reviews):
            assert set((await connection.execute(select(table.c.tenant))).scalars()) == {"stays"}, table.name
