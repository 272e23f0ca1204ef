from __future__ import annotations

from typing import Any

import pytest
from services.gateway.tests.installation import Installation
from services.gateway.tests.records.recordings import Roomy, recording
from services.gateway.tests.records.test_writer import Books
from sqlalchemy import insert, select, text

from contracts.improvement.feedback import FeedbackCreate
from gateway.admin.retention import Retention
from gateway.feedback.export import FeedbackExport
from gateway.feedback.service import FeedbackService
from gateway.records import deleted_documents as module
from gateway.records.answers import RecordedAnswers
from gateway.records.content import rows_of
from gateway.records.deleted_documents import KEPT_FOR, forgotten_before
from gateway.records.repository import RecordRepository
from gateway.storage.tables import deleted_documents, record_documents, records
from gateway.usage.bounded_labels import BoundedLabels
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


def _source(document: str) -> dict[str, Any]:
    return {"collection": "a", "document_id": document, "revision": 1, "chunk_id": "c1", "text": "t"}


async def _kept(database: Database, clock: ManualClock, answer_id: str, document: str, tenant: str = "acme") -> None:
    """A record that was written as soon as its answer had begun."""
    row, documents, _ = rows_of(recording(Roomy(), answer_id, clock.now(), tenant=tenant, sources=[_source(document)]))
    async with database.write() as connection:
        await connection.execute(insert(records), [row])
        await connection.execute(insert(record_documents), documents)


async def _ids(database: Database) -> set[str]:
    async with database.read() as connection:
        return set((await connection.execute(select(records.c.id))).scalars())


async def _noted(database: Database) -> set[str]:
    async with database.read() as connection:
        return set((await connection.execute(select(deleted_documents.c.document_id))).scalars())


async def test_a_record_that_waits_to_be_written_goes_with_its_document_and_one_of_a_later_answer_stays(
    database: Database, clock: ManualClock
) -> None:
    repository = RecordRepository(database, clock)
    async with Books(database, clock).running() as books:
        for number, document in enumerate(("gone", "stays")):
            await books.call(number, sources=[_source(document), _source("other")])
        clock.advance(5)
        await repository.delete_records_of_document("acme", "a", "gone")
        clock.advance(5)
        await books.call(2, sources=[_source("gone")])
        await books.counts()
        assert {int(one.removeprefix("chatcmpl_"), 16) for one in await _ids(database)} == {1, 2}
        await books.call(3, sources=[_source("stays")], tenant="other")
        await books.call(4, sources=[_source("stays")])
        await repository.delete_records_of_document("acme", "a", None)
        await books.counts()
        assert {int(one.removeprefix("chatcmpl_"), 16) for one in await _ids(database)} == {3}


async def test_what_a_collection_keeps_stays_on_record_and_is_in_no_export_though_it_is_rated_later(
    installation: Installation, clock: ManualClock
) -> None:
    deps = installation.deps
    answers = RecordedAnswers(RecordRepository(deps.database, clock))
    feedback = FeedbackService(deps.database, deps.tenants, answers, clock, str, BoundedLabels(10))
    key = await installation.principal(tenant="acme")
    for answer_id, document in (("chatcmpl_1", "gone"), ("chatcmpl_2", "stays")):
        await _kept(deps.database, clock, answer_id, document)
    clock.advance(1)
    await deps.records.delete_records_of_document("acme", "a", "gone", with_records=False)
    assert await _ids(deps.database) == {"chatcmpl_1", "chatcmpl_2"}
    for answer_id in ("chatcmpl_1", "chatcmpl_2"):
        await feedback.give(key, FeedbackCreate(answer_id=answer_id, rating="down", correction="Otherwise."))
    exported = FeedbackExport(deps.database, feedback)
    assert len([line async for line in exported.lines("acme", "preference", None, 10)]) == 1
    found = await answers.get_answers("acme", ["chatcmpl_1", "chatcmpl_2"])
    assert {each: answer.has_words for each, answer in found.items()} == {"chatcmpl_1": False, "chatcmpl_2": True}


async def test_a_record_that_another_replica_wrote_meanwhile_goes_later_and_what_nothing_quotes_is_forgotten(
    database: Database, clock: ManualClock
) -> None:
    repository, start = RecordRepository(database, clock), clock.now()
    clock.advance(5)
    await repository.delete_records_of_document("acme", "a", "gone")
    await repository.delete_records_of_document("acme", "a", "quoted", with_records=False)
    began = ManualClock(start)
    for answer_id, document in (("r1", "gone"), ("r2", "quoted")):
        await _kept(database, began, answer_id, document)
    await repository.prune()
    assert (await _ids(database), await _noted(database)) == ({"r2"}, {"gone", "quoted"})
    clock.advance(KEPT_FOR.total_seconds() + 1)
    await repository.prune()
    assert (await _ids(database), await _noted(database)) == ({"r2"}, {"quoted"})


async def test_a_run_that_waited_for_days_ends_without_a_record_that_quotes_what_was_deleted_meanwhile(
    database: Database, clock: ManualClock
) -> None:
    repository, began = RecordRepository(database, clock), ManualClock(clock.now())
    retention = Retention(database, clock, 0, 0, 7)
    clock.advance(60)
    await repository.delete_records_of_document("acme", "a", "gone")
    clock.advance(6 * 86_400)
    await retention.apply()
    await _kept(database, began, "run_1", "gone")
    await retention.apply()
    assert await _ids(database) == set()
    clock.advance(86_400 + KEPT_FOR.total_seconds() + 1)
    await retention.apply()
    assert await _noted(database) == set()


async def test_with_a_tenant_goes_which_of_its_documents_were_deleted(database: Database, clock: ManualClock) -> None:
    repository = RecordRepository(database, clock)
    for tenant in ("acme", "other"):
        await repository.delete_records_of_document(tenant, "a", tenant)
    await repository.delete_records_of_tenant("acme")
    assert await _noted(database) == {"other"}


async def test_whether_a_document_is_still_quoted_is_looked_up_by_its_own_id_and_a_bounded_number_goes_at_once(
    database: Database, clock: ManualClock
) -> None:
    repository = RecordRepository(database, clock)
    await _kept(database, clock, "r1", "quoted")
    clock.advance(1)
    await repository.delete_records_of_document("acme", "a", "quoted", with_records=False)
    await repository.delete_records_of_document("acme", "b", None, with_records=False)
    for number in range(7):
        await repository.delete_records_of_document("acme", "a", f"d{number}", with_records=False)
    clock.advance(KEPT_FOR.total_seconds() + 1)
    statement = forgotten_before(clock.now()).compile(dialect=database.dialect, compile_kwargs={"literal_binds": True})
    async with database.read() as connection:
        plan = [row[3] for row in await connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]
    assert any("record_documents" in step and "document_id=?" in step for step in plan), plan
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS", 3)
        async with database.write() as connection:
            assert len((await connection.execute(forgotten_before(clock.now()))).all()) == 3
        await repository.prune()
    assert await _noted(database) == {"quoted"}
