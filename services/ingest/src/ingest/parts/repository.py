"""The rows of a revision's parts: what is read of a document is never read again."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, insert, literal, select

from ingest.parts.files import Part
from ingest.tables import PARTS, REVISIONS
from servicekit.sql.transaction import Transaction


async def list_parts(connection: Transaction, document_key: str, n: int) -> list[Part]:
    """The parts of a revision that are there, in order."""
    columns = [PARTS.c[name] for name in Part.__dataclass_fields__]
    statement = select(*columns).where(PARTS.c.document_key == document_key, PARTS.c.n == n).order_by(PARTS.c.number)
    return [Part(**row) for row in (await connection.execute(statement)).mappings()]


async def delete_revisions(connection: Transaction, which: ColumnElement[bool]) -> set[str]:
    """Delete revisions with their parts; returns the keys of their blobs, which may be needed by others."""
    found = select(REVISIONS.c.document_key, REVISIONS.c.n, REVISIONS.c.blob_key).where(which)
    rows = (await connection.execute(found)).all()
    keys = {row.blob_key for row in rows}
    for row in rows:
        keys |= await delete_parts(connection, row.document_key, row.n)
        same = (REVISIONS.c.document_key == row.document_key) & (REVISIONS.c.n == row.n)
        await connection.execute(delete(REVISIONS).where(same))
    return keys


async def delete_parts(connection: Transaction, document_key: str, n: int) -> set[str]:
    """Delete a revision's parts; returns the keys of their blobs."""
    statement = delete(PARTS).where(PARTS.c.document_key == document_key, PARTS.c.n == n)
    gone = (await connection.execute(statement.returning(PARTS.c.text_key, PARTS.c.structure_key))).all()
    return {key for row in gone for key in row}


async def copy_parts(connection: Transaction, document_key: str, n: int, to: int) -> None:
    """Give a revision what is read of another with the same bytes and title."""
    others = [column for column in PARTS.c if column.name != "n"]
    rows = select(*others, literal(to)).where(PARTS.c.document_key == document_key, PARTS.c.n == n)
    await connection.execute(insert(PARTS).from_select([*others, PARTS.c.n], rows))
