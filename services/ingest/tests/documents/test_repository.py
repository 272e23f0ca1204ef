from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import RowMapping, update

from contracts.core.pages import Page
from contracts.documents.documents import Document
from ingest.documents import repository as documents
from ingest.errors import BlobMissing, DocumentNotFound, RevisionNotFound, TextNotFound, TextNotReady
from ingest.parts.files import Part
from ingest.tables import DOCUMENTS, REVISIONS
from servicekit.core.errors import InvalidRequest

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


async def found(service: Service, document_id: str, tenant: str = "acme") -> RowMapping:
    async with service.database.read() as connection:
        return await documents.get_document(connection, tenant, "handbook", document_id)


async def listed(service: Service, **given: Any) -> Page[Document]:
    asked: dict[str, Any] = {"status": None, "words": None, "limit": 50, "cursor": None} | given
    async with service.database.read() as connection:
        return await documents.list_documents(connection, "acme", "handbook", **asked)


async def names(service: Service, **given: Any) -> list[str]:
    return [each.id for each in (await listed(service, **given)).data]


async def test_a_document_is_its_tenant_s_alone_and_gone_once_deleted(service: Service) -> None:
    await service.upload(document_id="a")
    assert (await found(service, "a"))["id"] == "a"
    with pytest.raises(DocumentNotFound):
        await found(service, "a", "globex")
    async with service.database.write() as connection:
        await connection.execute(update(DOCUMENTS).values(deleted_at=service.clock.now()))
    with pytest.raises(DocumentNotFound, match="'a' in 'handbook'"):
        await found(service, "a")
    assert await names(service) == []


async def test_a_document_is_shown_with_its_error_and_no_unread_pages_as_none(service: Service) -> None:
    await service.upload(b"%PDF-1.7 broken", document_id="a", media_type="application/pdf")
    shown = documents.as_document(await found(service, "a"))
    assert (shown.status, shown.error, shown.unread_pages) == ("queued", None, [])
    await service.work_all()
    shown = documents.as_document(await found(service, "a"))
    assert shown.error is not None
    assert (shown.status, shown.error.code) == ("failed", "malformed")


async def test_documents_are_listed_newest_first_and_each_is_on_one_page(service: Service) -> None:
    for number in range(3):
        await service.upload(f"text {number}", document_id=f"d{number}")
    first = await listed(service, limit=2)
    assert [each.id for each in first.data] == ["d2", "d1"]
    rest = await listed(service, limit=2, cursor=first.next_cursor)
    assert ([each.id for each in rest.data], rest.next_cursor) == (["d0"], None)
    assert (await listed(service, limit=3)).next_cursor is None
    with pytest.raises(InvalidRequest):
        await listed(service, cursor="nonsense")


async def test_words_are_looked_for_in_title_source_and_id_as_they_are_written(service: Service) -> None:
    for name, facts in {
        "percent": {"title": "100 % sure"},
        "under_score": {"title": "T"},
        "sourced": {"source": "Report_2.txt"},
    }.items():
        await service.upload(name, document_id=name, **facts)
    assert await names(service, words="%") == ["percent"]
    assert await names(service, words="report_") == ["sourced"]
    assert await names(service, words="R_S") == ["under_score"]
    assert await names(service, words="nowhere") == []
    assert await names(service, status="ready") == []
    assert len(await names(service, status="queued")) == 3


async def test_documents_and_bytes_are_counted_by_collection_without_those_deleted(service: Service) -> None:
    await service.upload("four", document_id="a")
    await service.upload("seventy", document_id="b")
    gone = await service.upload("gone", document_id="c")
    async with service.database.write() as connection:
        of_it = DOCUMENTS.c.key == gone.document["key"]
        await connection.execute(update(DOCUMENTS).where(of_it).values(deleted_at=service.clock.now()))
    async with service.database.read() as connection:
        counted = await documents.count_documents(connection, "acme", ["handbook", "empty"])
        assert await documents.count_documents(connection, "globex", ["handbook"]) == {}
    assert counted == {"handbook": (2, 11)}


async def test_a_revision_is_the_newest_unless_one_is_named(service: Service) -> None:
    await service.upload("one", document_id="a")
    await service.upload("two", document_id="a")
    document = await found(service, "a")
    async with service.database.read() as connection:
        assert (await documents.get_revision(connection, document, None))["n"] == 2
        assert (await documents.get_revision(connection, document, 1))["n"] == 1
        with pytest.raises(RevisionNotFound, match="Revision 9"):
            await documents.get_revision(connection, document, 9)


async def text_parts(service: Service, document_id: str, n: int | None = None) -> list[Part]:
    document = await found(service, document_id)
    async with service.database.read() as connection:
        return await documents.list_text_parts(connection, document, n)


async def test_a_text_is_the_active_revision_s_while_a_new_one_is_read(service: Service) -> None:
    await service.upload("The first.", document_id="a")
    with pytest.raises(TextNotReady):
        await text_parts(service, "a")
    await service.work_all()
    before = await text_parts(service, "a")
    await service.upload("The second.", document_id="a")
    assert await text_parts(service, "a") == before != []
    with pytest.raises(TextNotReady):
        await text_parts(service, "a", 2)


async def test_a_document_that_could_not_be_read_has_no_text(service: Service) -> None:
    await service.upload(b"%PDF-1.7 broken", document_id="a", media_type="application/pdf")
    await service.work_all()
    with pytest.raises(TextNotFound):
        await text_parts(service, "a")


async def test_parts_without_text_are_left_out_and_the_others_joined_as_they_stand(service: Service) -> None:
    await service.upload("The word.", document_id="a")
    await service.work_all()
    (part,) = await text_parts(service, "a")
    pieces = [piece async for piece in documents.stream_text(service.blobs, [part, part])]
    assert b"".join(pieces).decode() == "The word.\n\nThe word."
    service.blobs._blobs.clear()
    with pytest.raises(BlobMissing):
        await anext(documents.stream_text(service.blobs, [part]))


async def test_an_older_revision_has_its_own_text_until_it_is_no_longer_kept(service: Service) -> None:
    for text in ("The first.", "The second."):
        await service.upload(text, document_id="a")
        await service.work_all()
    first, second = await text_parts(service, "a", 1), await text_parts(service, "a")
    assert first != second
    async with service.database.write() as connection:
        await connection.execute(REVISIONS.delete().where(REVISIONS.c.n == 1))
    with pytest.raises(RevisionNotFound):
        await text_parts(service, "a", 1)
