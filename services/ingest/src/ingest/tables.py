"""Ingest's ledger: documents, their revisions, jobs, and answers kept for `Idempotency-Key`.

A revision's text and chunks are kept in parts, in order; `parsed` says that there are no more to come. `layout` is the
retriever's number for the way in which it was cut.
A document row outlives its deletion as a tombstone, so that revision numbers keep growing past the retriever's fence.
`unreadable_by` is the reading version that found for good that a document's newest bytes can't be read.
A collection row is the anchor that uploads and deletions of one collection contend for.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from servicekit.backup.lock import backup_lock_table
from servicekit.jobs.leases import lease_columns
from servicekit.jobs.tables import JobTable
from servicekit.jobs.worker_registry import workers_table
from servicekit.sql.database import UtcTime
from servicekit.web.idempotency import StoredAnswers, idempotency_table

metadata = MetaData()
LIVE = "status IN ('queued', 'running')"
LIVE_DOCUMENT = f"{LIVE} AND kind = 'document'"
LIVE_REINDEX = f"{LIVE} AND kind = 'reindex'"

COLLECTIONS = Table(
    "collections",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("uploads", BigInteger, nullable=False, server_default="0"),
    Column("deletion_job", String(40)),
)

DOCUMENTS = Table(
    "documents",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("collection", String(63), nullable=False),
    Column("id", String(200), nullable=False),
    Column("title", String(500), nullable=False),
    Column("source", String(2000), nullable=False),
    Column("media_type", String(100), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("active_revision", Integer),
    Column("status", String(16), nullable=False),
    Column("pages", Integer),
    Column("unread_pages", JSON(none_as_null=True)),
    Column("chunks", Integer, nullable=False, server_default="0"),
    Column("metadata", JSON, nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("unreadable_by", String(32)),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("deleted_at", UtcTime),
    UniqueConstraint("tenant", "collection", "id"),
    Index("documents_in_order", "tenant", "collection", "key"),
)

REVISIONS = Table(
    "revisions",
    metadata,
    Column("document_key", String(40), ForeignKey("documents.key", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("status", String(16), nullable=False),
    Column("title", String(500), nullable=False),
    Column("title_given", Boolean, nullable=False),
    Column("source", String(2000), nullable=False),
    Column("media_type", String(100), nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("blob_key", String(200), nullable=False),
    Column("parsed", Boolean, nullable=False, server_default=false()),
    Column("pages", Integer),
    Column("unread_pages", JSON(none_as_null=True)),
    Column("chunks", Integer),
    Column("sent", Boolean, nullable=False, server_default=false()),
    Column("layout", Integer),
    Column("created_at", UtcTime, nullable=False),
    Index("revisions_by_blob", "tenant", "blob_key"),
)

PARTS = Table(
    "parts",
    metadata,
    Column("document_key", String(40), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("text_key", String(200), nullable=False),
    Column("structure_key", String(200), nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("chars", BigInteger, nullable=False),
    Column("first_chunk", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("last_page", Integer),
    Column("done", Float, nullable=False),
    ForeignKeyConstraint(["document_key", "n"], ["revisions.document_key", "revisions.n"], ondelete="CASCADE"),
    Index("parts_by_text", "tenant", "text_key"),
    Index("parts_by_structure", "tenant", "structure_key"),
)

JOBS = Table(
    "jobs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("tenant", String(63), nullable=False),
    Column("collection", String(63), nullable=False),
    Column("document_key", String(40)),
    Column("document_id", String(200), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("details", JSON(none_as_null=True)),
    Column("status", String(16), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("progress", Float, nullable=False, server_default="0"),
    Column("pages_done", Integer, nullable=False, server_default="0"),
    Column("pages_total", Integer),
    Column("chunks_done", Integer, nullable=False, server_default="0"),
    Column("restarts", Integer, nullable=False, server_default="0"),
    Column("strikes", Integer, nullable=False, server_default="0"),
    Column("waiting_on", String(40)),
    Column("waiting_since", UtcTime),
    Column("error", JSON(none_as_null=True)),
    Column("timings", JSON, nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("traceparent", String(64)),
    Column("grant_token", Text),
    Column("grant_key_id", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("queued_at", UtcTime, nullable=False),
    Column("claimed_at", UtcTime),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    *lease_columns(),
    Index("jobs_live", "tenant", "queued_at", "id", sqlite_where=text(LIVE), postgresql_where=text(LIVE)),
    Index(
        "one_live_job_of_a_document",
        "document_key",
        unique=True,
        sqlite_where=text(LIVE_DOCUMENT),
        postgresql_where=text(LIVE_DOCUMENT),
    ),
    Index(
        "one_live_reindex_of_a_collection",
        "tenant",
        "collection",
        unique=True,
        sqlite_where=text(LIVE_REINDEX),
        postgresql_where=text(LIVE_REINDEX),
    ),
    Index("jobs_of_a_tenant", "tenant", "id"),
    Index("jobs_served", "tenant", "claimed_at"),
    Index("jobs_finished", "finished_at"),
)

INGEST_JOBS = JobTable(
    JOBS,
    failed_attempts="strikes",
    attempts_are_claims=False,
    condition=lambda columns: columns.grant_token.is_not(None),
)
"""As the machine for durable jobs knows them. One without a grant has nobody's right to work with."""

IDEMPOTENCY = idempotency_table(metadata)
ANSWERS = StoredAnswers(IDEMPOTENCY)

WORKERS = workers_table(metadata, Column("reading", String(32), nullable=False))

BACKUP_LOCK = backup_lock_table(metadata)

TENANT_DELETIONS = Table(
    "tenant_deletions",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("job_id", String(40), nullable=False),
)
"""Tenants that are on their way out: nothing of theirs is taken in any more."""

BLOB_CLAIMS = Table(
    "blob_claims",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("removes", Boolean, nullable=False),
    Column("until", UtcTime, nullable=False),
    Index("blob_claims_by_key", "key"),
)
"""Who is about to name bytes in a store that several hosts share, and who is removing them."""

BLOB_TURNS = Table("blob_turns", metadata, Column("digits", String(2), primary_key=True))
"""A row for each two digits that a digest can begin with, made with the table: who locks it may enter claims."""
