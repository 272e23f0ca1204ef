from __future__ import annotations

from typing import Any

import pytest
from services.gateway.tests.records.recordings import recording
from sqlalchemy import insert, select

from gateway.admin.retention import Retention
from gateway.records import repository as finding
from gateway.records.content import rows_of
from gateway.records.errors import RecordNotFound
from gateway.records.repository import Reader, RecordFilter, RecordRepository
from gateway.storage.audit_log import Actor
from gateway.storage.tables import audit, feedback, record_documents, records
from servicekit.core.clock import ManualClock
from servicekit.core.cursors import InvalidCursor
from servicekit.sql.database import Database

ACME, ACTOR, DAY = Reader("acme"), Actor("k1"), 86_400
ABSTAINED = {"abstained": True}
SOURCE = {"collection": "a", "document_id": "d1", "revision": 1, "chunk_id": "c1", "text": "t"}


class Kept:
    """Records that are there, and their repository."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database, self.clock = database, clock
        self.repository = RecordRepository(database, clock)

    def hold(self, size: int) -> bool:
        return True

    def release(self, size: int) -> None: ...

    def submit(self, recording: object) -> None: ...

    async def add(self, record_id: str, **more: Any) -> None:
        row, documents, _ = rows_of(recording(self, record_id, self.clock.now(), **more))
        async with self.database.write() as connection:
            await connection.execute(insert(records), [row])
            if documents:
                await connection.execute(insert(record_documents), documents)
        self.clock.advance(1)

    async def ids(self, reader: Reader = ACME, **wanted: Any) -> list[str]:
        page = await self.repository.list_records(reader, RecordFilter(**wanted), 50, None)
        return [one.id for one in page.data]


def _said(kept: Kept, tenant: str, answer_id: str, person: int, verdict: int) -> dict[str, Any]:
    facts = {"id": f"fb_{person}", "tenant": tenant, "key_id": "k", "person": f"p{person}", "answer_id": answer_id}
    now = kept.clock.now()
    more = {"part": "answer", "labels": [], "collections": "", "created_at": now, "updated_at": now}
    return {**facts, **more, "verdict": verdict}


@pytest.fixture
def kept(database: Database, clock: ManualClock) -> Kept:
    return Kept(database, clock)


async def test_a_list_is_filtered_by_all_that_it_says(kept: Kept) -> None:
    began = kept.clock.now()
    await kept.add("r1", question="How much leave?", model="rag:a,b_c", user="jo", report=ABSTAINED)
    await kept.add("r2", answer="100% of it", error_type="internal", status=500)
    await kept.add("r3", model="rag:b", key_id="k2")
    await kept.add("r4", tenant="other", question="How much leave?")
    async with kept.database.write() as connection:
        for number, verdict in enumerate((-1, -1, 1)):
            await connection.execute(insert(feedback).values(_said(kept, "acme", "r3", number, verdict)))
        await connection.execute(insert(feedback).values(_said(kept, "other", "r4", 5, 1)))
        await connection.execute(insert(feedback).values(_said(kept, "acme", "r4", 6, 1)))
    assert await kept.ids() == ["r3", "r2", "r1"]
    wanted: list[tuple[dict[str, Any], list[str]]] = [
        ({"since": began.replace(second=1)}, ["r3", "r2"]), ({"until": began.replace(second=1)}, ["r1"]),
        ({"collection": "b"}, ["r3"]), ({"collection": "b_c"}, ["r1"]), ({"collection": "b%"}, []),
        ({"model": "rag:b"}, ["r3"]), ({"model": "m"}, ["r2"]), ({"user": "jo"}, ["r1"]), ({"user": "Jo"}, []),
        ({"rating": "down"}, ["r3"]), ({"rating": "up"}, []), ({"rating": "none"}, ["r2", "r1"]),
        ({"abstained": True}, ["r1"]), ({"abstained": False}, ["r3", "r2"]),
        ({"error": True}, ["r2"]), ({"error": False}, ["r3", "r1"]),
        ({"q": "MUCH LEAVE"}, ["r1"]), ({"q": "0% of"}, ["r2"]), ({"q": "0_ of"}, []),
        ({"q": "much", "abstained": False}, []),
    ]  # fmt: skip
    for given, expected in wanted:
        assert await kept.ids(**given) == expected, given
    assert await kept.ids(Reader("acme", "k2")) == ["r3"]


@pytest.mark.parametrize("q", [None, "Why"])
async def test_pages_have_every_record_once_also_those_of_one_moment(
    kept: Kept, q: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "SEARCHED", 3)
    for number in range(10):
        kept.clock.advance(-1 if number % 2 else 0)
        await kept.add(f"r{number}", question="Why?" if number < 2 or q is None else "How?")
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(20):
        page = await kept.repository.list_records(ACME, RecordFilter(q=q), 2, cursor)
        assert len(page.data) <= 2
        seen += [one.id for one in page.data]
        if (cursor := page.next_cursor) is None:
            break
    assert cursor is None
    assert sorted(seen) == [f"r{number}" for number in range(2 if q else 10)]
    with pytest.raises(InvalidCursor):
        await kept.repository.list_records(ACME, RecordFilter(), 2, "nonsense")


async def test_a_record_of_another_tenant_or_key_is_not_there(kept: Kept) -> None:
    await kept.add("r1", tenant="other")
    await kept.add("r2")
    for reader, record_id in ((ACME, "r1"), (Reader("acme", "k9"), "r2")):
        with pytest.raises(RecordNotFound):
            await kept.repository.get_record(reader, record_id)
        with pytest.raises(RecordNotFound):
            await kept.repository.delete_record(reader, record_id, ACTOR)
    assert (await kept.repository.get_record(Reader("other"), "r1")).question == "Why?"


async def test_records_go_alone_by_user_by_document_by_collection_and_by_tenant(kept: Kept) -> None:
    await kept.add("r1", user="jo")
    await kept.add("r2", user="jo", tenant="other")
    await kept.add("r3", sources=[SOURCE, {**SOURCE, "document_id": "d2"}])
    await kept.add("r4", sources=[{**SOURCE, "document_id": "d2"}])
    await kept.add("r5")
    await kept.repository.delete_record(ACME, "r5", ACTOR)
    assert await kept.repository.delete_records_of_user(ACME, "jo", ACTOR) == 1
    assert await kept.repository.delete_records_of_document("other", "a", "d1") == 0
    assert await kept.repository.delete_records_of_document("acme", "a", "d1") == 1
    assert await kept.ids() == ["r4"]
    assert await kept.repository.delete_records_of_document("acme", "a", None) == 1
    assert await kept.ids(Reader("other")) == ["r2"]
    assert await kept.repository.delete_records_of_tenant("other") == 1
    async with kept.database.read() as connection:
        assert (await connection.execute(select(record_documents))).all() == []
        noted = (await connection.execute(select(audit.c.action, audit.c.subject).order_by(audit.c.at))).all()
    assert [one.action for one in noted] == ["record.delete", "record.delete_user"]
    assert "jo" not in noted[1].subject


async def test_what_is_too_old_is_not_shown_and_then_removed(kept: Kept) -> None:
    await kept.add("r1", days=1)
    await kept.add("r2", days=3)
    kept.clock.advance(2 * DAY)
    assert await kept.ids() == ["r2"]
    assert await Retention(kept.database, kept.clock, 0, 0, 7).apply() == 1
    async with kept.database.read() as connection:
        assert (await connection.execute(select(records.c.id))).scalars().all() == ["r2"]
