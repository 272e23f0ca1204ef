from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import insert

from ingest.parts.files import Part
from ingest.parts.repository import copy_parts, delete_parts, delete_revisions, list_parts
from ingest.tables import PARTS, REVISIONS

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


def part(number: int) -> Part:
    return Part(number, f"text-{number}", f"structure-{number}", 9 * number, 9, number, 1, None, 0.5)


async def revision(service: Service, *parts: Part, document_id: str = "a") -> str:
    """A document's key; its first revision has these parts."""
    key = str((await service.upload(document_id, document_id=document_id)).document["key"])
    async with service.database.write() as connection:
        for each in parts:
            row = {"document_key": key, "n": 1, "tenant": "acme", **asdict(each)}
            await connection.execute(insert(PARTS).values(**row))
    return key


async def test_parts_are_listed_in_order_and_of_their_revision_alone(service: Service) -> None:
    key = await revision(service, part(2), part(0), part(1))
    await revision(service, part(7), document_id="b")
    async with service.database.read() as connection:
        assert await list_parts(connection, key, 1) == [part(0), part(1), part(2)]
        assert await list_parts(connection, key, 2) == []


async def test_deleted_parts_tell_their_bytes_and_none_tell_nothing(service: Service) -> None:
    key = await revision(service, part(0), part(1))
    async with service.database.write() as connection:
        gone = await delete_parts(connection, key, 1)
        assert gone == {"text-0", "text-1", "structure-0", "structure-1"}
        assert await list_parts(connection, key, 1) == []
        assert await delete_parts(connection, key, 1) == set()


async def test_a_deleted_revision_takes_its_parts_along_and_no_other_s(service: Service) -> None:
    key = await revision(service, part(0))
    other = await revision(service, part(1), document_id="b")
    async with service.database.write() as connection:
        gone = await delete_revisions(connection, REVISIONS.c.document_key == key)
        assert len(gone) == 3
        assert {"text-0", "structure-0"} < gone
        assert await list_parts(connection, other, 1) == [part(1)]
        assert await delete_revisions(connection, REVISIONS.c.document_key == key) == set()


async def test_what_was_read_of_a_revision_is_another_s_too(service: Service) -> None:
    key = await revision(service, part(0), part(1))
    await service.upload("Another.", document_id="a")
    async with service.database.write() as connection:
        await copy_parts(connection, key, 1, 2)
        assert await list_parts(connection, key, 2) == await list_parts(connection, key, 1) == [part(0), part(1)]
        await delete_parts(connection, key, 1)
        assert await list_parts(connection, key, 2) == [part(0), part(1)]
