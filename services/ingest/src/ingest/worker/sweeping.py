"""Housekeeping of a worker: what processes that were killed have left behind is removed now and then."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ingest.blob_references import sweep
from ingest.parsing.process import ParsingProcess
from ingest.ports import BlobStore
from servicekit.sql import Database

log = structlog.get_logger(__name__)
EVERY_SECONDS = 6 * 3600.0
ORPHAN_SECONDS = 3600.0
"""Between putting bytes and naming them lie seconds."""


async def keep_swept(database: Database, blobs: BlobStore, parser: ParsingProcess) -> None:
    """At the start and every few hours, until cancelled."""
    while True:
        try:
            await asyncio.to_thread(parser.sweep)
            removed = await sweep(database, blobs, ORPHAN_SECONDS)
            log.info("swept", blobs=removed)
        except (SQLAlchemyError, OSError, ValueError) as error:
            log.warning("could not sweep", error=repr(error)[:300])
        await asyncio.sleep(EVERY_SECONDS)
