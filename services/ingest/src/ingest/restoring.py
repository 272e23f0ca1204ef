"""Restoring a document from its archive: its bytes and parts go into the blob store, then rows and a job are committed.

The job is an ordinary one that finds all parts read, so that it resumes by sending the chunks with their embeddings.
Restoring never overwrites: a document that is there with the same bytes stays as it is, one with others is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ingest import uploads
from ingest.archives import Archive, Sealed
from ingest.blob_references import drop_unreferenced
from ingest.errors import BlobStoreAway, DocumentDiffers
from ingest.live_jobs import Mandate
from ingest.ports import BlobStore
from ingest.tables import PARTS, REVISIONS
from ingest.uploads import Accepted, Upload
from servicekit.clock import Clock
from servicekit.sql import Database


@dataclass(frozen=True, slots=True)
class Restored:
    """A document as it was, its blobs named by their keys."""

    upload: Upload
    revision: int
    facts: Mapping[str, Any]
    """Columns of the revision that reading it would have filled in."""
    parts: list[dict[str, Any]]
    """Rows of its parts without the document's key and revision; none if it is to be read anew."""


async def restore(
    database: Database,
    blobs: BlobStore,
    clock: Clock,
    mandate: Mandate,
    collection: str,
    model: str,
    layout: int,
    archive: Archive,
) -> Accepted:
    """Take a document in as its archive has it; what was cut for another embedding model is cut anew.

    `layout` is the collection's, so that what is cut anew in it later is known to be cut otherwise.

    Raises `ArchiveDamaged`, `DocumentDiffers`, `CollectionNotFound` or `CollectionDeleting`.
    """
    await asyncio.to_thread(archive.check_original)
    usable = archive.manifest.embedding_model == model
    count = len(archive.manifest.parts) if usable else 0
    parts = await asyncio.to_thread(_parts, archive, count, mandate.tenant)
    restored = _restored(archive, mandate, collection, layout, parts)
    keys = [restored.upload.blob_key, *(part[name] for part in parts for name in ("text_key", "structure_key"))]
    stays = False
    try:
        async with blobs.keeping(*keys) as kept:
            with archive.original() as original:
                await blobs.put(keys[0], original)
            await _keep(blobs, archive, parts)
            async with database.write() as connection:
                accepted = await accept(connection, restored, clock.now())
                await kept.confirm(connection)
            stays = not accepted.unchanged
    except BlobStoreAway:
        stays = True  # until the sweep: nothing can be removed now
        raise
    finally:
        if not stays:
            await drop_unreferenced(database, blobs, mandate.tenant, keys)
    return accepted


async def accept(connection: AsyncConnection, restored: Restored, now: datetime) -> Accepted:
    """Write document, revision, parts and job, unless the document is there."""
    accepted = await uploads.accept_unless_there(connection, restored.upload, restored.revision, now)
    if accepted is None:
        raise DocumentDiffers(restored.upload.id)
    if accepted.unchanged or not restored.parts:
        return accepted
    key, n = accepted.document["key"], accepted.document["revision"]
    same = (REVISIONS.c.document_key == key) & (REVISIONS.c.n == n)
    await connection.execute(update(REVISIONS).where(same).values(parsed=True, **restored.facts))
    rows = [{**part, "document_key": key, "n": n} for part in restored.parts]
    await connection.execute(insert(PARTS), rows)
    return accepted


async def _keep(blobs: BlobStore, archive: Archive, parts: list[dict[str, Any]]) -> None:
    """Put the parts' texts and structures under their keys."""
    with archive.sealed() as sealed:
        for number, part in enumerate(parts):
            text, structure = await asyncio.to_thread(_read, archive, number, sealed)
            await blobs.put(part["text_key"], io.BytesIO(text))
            await blobs.put(part["structure_key"], io.BytesIO(structure))


def _parts(archive: Archive, count: int, tenant: str) -> list[dict[str, Any]]:
    """The first `count` parts' rows. What they hold is read once more to be kept, so that it needn't be here."""
    rows = []
    with archive.sealed() as sealed:
        for number in range(count):
            text, structure = (
                f"{tenant}/{hashlib.sha256(each).hexdigest()}" for each in _read(archive, number, sealed)
            )
            told = archive.manifest.parts[number].model_dump()
            rows.append({**told, "number": number, "tenant": tenant, "text_key": text, "structure_key": structure})
    return rows


def _read(archive: Archive, number: int, sealed: Sealed) -> tuple[bytes, bytes]:
    return archive.part(number, sealed.take(archive.manifest.parts[number].chunks))


def _restored(
    archive: Archive, mandate: Mandate, collection: str, layout: int, parts: list[dict[str, Any]]
) -> Restored:
    manifest = archive.manifest
    upload = Upload(
        mandate=mandate,
        collection=collection,
        document_id=manifest.id,
        title=manifest.title if manifest.title_given else None,
        fallback_title=manifest.title,
        source=manifest.source,
        media_type=manifest.media_type,
        metadata=manifest.metadata,
        bytes=manifest.bytes,
        sha256=manifest.sha256,
        blob_key=f"{mandate.tenant}/{manifest.sha256}",
    )
    facts = {
        "pages": manifest.pages,
        "unread_pages": manifest.unread_pages,
        "chunks": sum(part["chunks"] for part in parts),
        "layout": layout,
    }
    return Restored(upload, manifest.revision, facts, parts)
