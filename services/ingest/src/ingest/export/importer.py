"""Restoring a document from its archive: its bytes and parts go into the blob store, then rows and a job are committed.

The job is an ordinary one that finds all parts read, so that it resumes by sending the chunks with their embeddings.
Restoring never overwrites: a document that is there with the same bytes stays as it is, one with others is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, update

from ingest.blobs.references import delete_unreferenced
from ingest.documents import uploads
from ingest.documents.uploads import Accepted, Upload
from ingest.errors import BlobStoreAway, DocumentDiffers
from ingest.export.archive import Manifest
from ingest.export.reader import UnpackedArchive
from ingest.ports import BlobStore
from ingest.tables import PARTS, REVISIONS
from servicekit.core.clock import Clock
from servicekit.jobs.tables import JobOwner
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Restored:
    """A document as it was, its blobs named by their keys."""

    upload: Upload
    revision: int
    facts: Mapping[str, Any]
    """Columns of the revision that reading it would have filled in."""
    parts: list[dict[str, Any]]
    """Rows of its parts without the document's key and revision; none if it is to be read anew."""


async def restore_document(
    database: Database,
    blobs: BlobStore,
    clock: Clock,
    job_owner: JobOwner,
    collection: str,
    layout: int,
    archive: UnpackedArchive,
) -> Accepted:
    """Take a document in as its archive has it; what was cut for another embedding model is cut anew.

    `layout` is the collection's, so that what is cut anew in it later is known to be cut otherwise.

    Raises `DocumentDiffers`, `CollectionNotFound` or `CollectionDeleting`.
    """
    parts = _parts(archive, job_owner.tenant)
    restored = _restored(archive.manifest, job_owner, collection, layout, parts)
    keys = [restored.upload.blob_key, *(part[name] for part in parts for name in ("text_key", "structure_key"))]
    stays = False
    try:
        async with blobs.keeping(*keys) as kept:
            for key, path in zip(keys, _files(archive), strict=True):
                with path.open("rb") as file:
                    await blobs.put(key, file)
            async with database.write() as connection:
                accepted = await accept(connection, restored, clock.now())
                await kept.confirm(connection)
            stays = not accepted.unchanged
    except BlobStoreAway:
        stays = True  # until the next cleanup: nothing can be removed now
        raise
    finally:
        if not stays:
            await delete_unreferenced(database, blobs, job_owner.tenant, keys)
    return accepted


async def accept(connection: Transaction, restored: Restored, now: datetime) -> Accepted:
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


def _files(archive: UnpackedArchive) -> list[Path]:
    """The original, then each part's text and structure."""
    return [archive.original, *(path for number in range(len(archive.digests)) for path in archive.part(number))]


def _parts(archive: UnpackedArchive, tenant: str) -> list[dict[str, Any]]:
    """The parts' rows."""
    rows = []
    for number, (text, structure) in enumerate(archive.digests):
        described = archive.manifest.parts[number].model_dump()
        keys = {"text_key": f"{tenant}/{text}", "structure_key": f"{tenant}/{structure}"}
        rows.append({**described, **keys, "number": number, "tenant": tenant})
    return rows


def _restored(
    manifest: Manifest, job_owner: JobOwner, collection: str, layout: int, parts: list[dict[str, Any]]
) -> Restored:
    upload = Upload(
        job_owner=job_owner,
        collection=collection,
        document_id=manifest.id,
        title=manifest.title if manifest.title_given else None,
        fallback_title=manifest.title,
        source=manifest.source,
        media_type=manifest.media_type,
        metadata=manifest.metadata,
        bytes=manifest.bytes,
        sha256=manifest.sha256,
        blob_key=f"{job_owner.tenant}/{manifest.sha256}",
    )
    facts = {
        "pages": manifest.pages,
        "unread_pages": manifest.unread_pages,
        "chunks": sum(part["chunks"] for part in parts),
        "layout": layout,
    }
    return Restored(upload, manifest.revision, facts, parts)
