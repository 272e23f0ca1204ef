"""Backing a document up: its rows and bytes as they are at one moment, with its embeddings, as one archive.

What the archive needs may be replaced while it is read. Then it is begun again, so that an archive is of one revision.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from typing import IO

from sqlalchemy import RowMapping, select

from ingest.documents.repository import get_document
from ingest.errors import BlobMissing, DocumentChanging
from ingest.export import archive
from ingest.export.archive import Manifest, PartFiles
from ingest.parts.files import Part
from ingest.parts.repository import list_parts
from ingest.ports import BlobStore, Index
from ingest.tables import REVISIONS
from servicekit.core.errors import PeerError
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction

TRIES = 5
EMBEDDINGS_AT_ONCE = 500
IN_MEMORY = 4 * 1024 * 1024
"""Larger archives are put together on disk."""


async def export_document(
    database: Database, blobs: BlobStore, index: Index, token: str, tenant: str, collection: str, document_id: str
) -> IO[bytes]:
    """The document's archive, to be read from its beginning and closed.

    It is of the active revision or, before there is one, of the newest one's bytes alone; bytes alone, too, where a
    reindex has cut the document otherwise than the ledger says. Raises `DocumentNotFound`, or `DocumentChanging` if the
    document was replaced, or the collection cut anew, each time.
    """
    for _ in range(TRIES):
        now = await index.get_collection(token, collection)
        async with database.read() as connection:
            document = await get_document(connection, tenant, collection, document_id)
            revision, parts = await _revision(connection, document, now.index.layout)
        try:
            with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
                about = (collection, document_id, revision["n"])
                encoded = file if await write_embeddings(index, token, about, parts, file) else None
                if (await index.get_collection(token, collection)).index.layout != now.index.layout:
                    continue
                manifest = _manifest(document, revision, parts, now.embedding_model)
                return await _written(blobs, manifest, revision, parts, encoded)
        except BlobMissing:
            continue
        except PeerError as error:
            if error.code != "document_not_found":
                raise
    raise DocumentChanging(document_id)


async def _revision(connection: Transaction, document: RowMapping, layout: int) -> tuple[RowMapping, list[Part]]:
    """The revision and, if its parts are cut as the index has them, those."""
    n = document["active_revision"] or document["revision"]
    same = (REVISIONS.c.document_key == document["key"]) & (REVISIONS.c.n == n)
    row = (await connection.execute(select(REVISIONS).where(same))).mappings().one()
    as_indexed = document["active_revision"] and row["layout"] in (None, layout)
    return row, await list_parts(connection, document["key"], n) if as_indexed else []


def _manifest(document: RowMapping, revision: RowMapping, parts: list[Part], model: str) -> Manifest:
    same = ("title", "title_given", "source", "media_type", "metadata", "bytes", "sha256", "pages", "unread_pages")
    return Manifest(
        id=document["id"],
        revision=revision["n"],
        embedding_model=model if parts else None,
        parts=[archive.archived(part) for part in parts],
        **{name: revision[name] for name in same},
    )


async def write_embeddings(
    index: Index, token: str, about: tuple[str, str, int], parts: list[Part], into: IO[bytes]
) -> bool:
    """Write the encoded embeddings as an archive has them, one a line; whether there are any."""
    written, all_of_them = 0, parts[-1].next_chunk if parts else 0
    while written < all_of_them:
        page = await index.get_embeddings(token, *about, written, EMBEDDINGS_AT_ONCE)
        if not page.embeddings:  # an index that was rebuilt otherwise: restoring embeds anew
            return False
        lines = "\n".join(page.embeddings) if written == 0 else "\n".join(["", *page.embeddings])
        await asyncio.to_thread(into.write, lines.encode())
        written += len(page.embeddings)
    into.seek(0)
    return written > 0


async def _written(
    blobs: BlobStore, manifest: Manifest, revision: RowMapping, parts: list[Part], encoded: IO[bytes] | None
) -> IO[bytes]:
    file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # handed to the caller
    try:
        async with AsyncExitStack() as held:
            original = await held.enter_async_context(blobs.local(revision["blob_key"]))
            files = [
                PartFiles(
                    await held.enter_async_context(blobs.local(part.text_key)),
                    await held.enter_async_context(blobs.local(part.structure_key)),
                )
                for part in parts
            ]
            try:
                await asyncio.to_thread(archive.write, file, manifest, original, files, encoded)
            except FileNotFoundError:
                raise BlobMissing from None
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file
