"""The ledger: collections, documents, revisions, jobs, kept answers, workers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
LIVE = sa.text("status IN ('queued', 'running')")
LIVE_DOCUMENT = sa.text("status IN ('queued', 'running') AND kind = 'document'")
LIVE_REINDEX = sa.text("status IN ('queued', 'running') AND kind = 'reindex'")


def upgrade() -> None:
    _collections()
    _documents()
    _idempotency()
    _jobs()
    _job_indexes()
    _workers()
    _revisions()
    _parts()


def downgrade() -> None:
    for name in ("parts", "revisions", "workers", "jobs", "idempotency", "documents", "collections"):
        op.drop_table(name)


def _collections() -> None:
    op.create_table(
        "collections",
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("uploads", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("deletion_job", sa.String(length=40)),
        sa.PrimaryKeyConstraint("tenant", "name"),
    )


def _documents() -> None:
    op.create_table(
        "documents",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("collection", sa.String(length=63), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("title", sa.String(length=500), nullable=False),
        sa.Column("source", sa.String(length=2000), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("active_revision", sa.Integer()),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("pages", sa.Integer()),
        sa.Column("unread_pages", sa.JSON()),
        sa.Column("chunks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("error", sa.JSON()),
        sa.Column("unreadable_by", sa.String(length=32)),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("deleted_at", sa.Double()),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("tenant", "collection", "id"),
    )
    op.create_index("documents_in_order", "documents", ["tenant", "collection", "key"])


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("body", sa.Text()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "route", "key"),
    )
    op.create_index("idempotency_by_age", "idempotency", ["created_at"])


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("collection", sa.String(length=63), nullable=False),
        sa.Column("document_key", sa.String(length=40)),
        sa.Column("document_id", sa.String(length=200), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("details", sa.JSON()),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("progress", sa.Float(), server_default="0", nullable=False),
        sa.Column("pages_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("pages_total", sa.Integer()),
        sa.Column("chunks_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("restarts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("strikes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("waiting_on", sa.String(length=40)),
        sa.Column("waiting_since", sa.Double()),
        sa.Column("error", sa.JSON()),
        sa.Column("timings", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("grant_token", sa.Text()),
        sa.Column("grant_key_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("queued_at", sa.Double(), nullable=False),
        sa.Column("claimed_at", sa.Double()),
        sa.Column("started_at", sa.Double()),
        sa.Column("finished_at", sa.Double()),
        sa.Column("lease_owner", sa.String(length=100)),
        sa.Column("lease_expires_at", sa.Double()),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", sa.Double()),
        sa.PrimaryKeyConstraint("id"),
    )


def _job_indexes() -> None:
    op.create_index("jobs_finished", "jobs", ["finished_at"])
    op.create_index("jobs_live", "jobs", ["tenant", "queued_at", "id"], sqlite_where=LIVE, postgresql_where=LIVE)
    op.create_index("jobs_of_a_tenant", "jobs", ["tenant", "id"])
    op.create_index("jobs_served", "jobs", ["tenant", "claimed_at"])
    op.create_index(
        "one_live_reindex_of_a_collection",
        "jobs",
        ["tenant", "collection"],
        unique=True,
        sqlite_where=LIVE_REINDEX,
        postgresql_where=LIVE_REINDEX,
    )
    op.create_index(
        "one_live_job_of_a_document",
        "jobs",
        ["document_key"],
        unique=True,
        sqlite_where=LIVE_DOCUMENT,
        postgresql_where=LIVE_DOCUMENT,
    )


def _workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("reading", sa.String(length=32), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _revisions() -> None:
    op.create_table(
        "revisions",
        sa.Column("document_key", sa.String(length=40), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("title", sa.String(length=500), nullable=False),
        sa.Column("title_given", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=2000), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("blob_key", sa.String(length=200), nullable=False),
        sa.Column("parsed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("pages", sa.Integer()),
        sa.Column("unread_pages", sa.JSON()),
        sa.Column("chunks", sa.Integer()),
        sa.Column("sent", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("layout", sa.Integer()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["document_key"], ["documents.key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("document_key", "n"),
    )
    op.create_index("revisions_by_blob", "revisions", ["tenant", "blob_key"])


def _parts() -> None:
    op.create_table(
        "parts",
        sa.Column("document_key", sa.String(length=40), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("text_key", sa.String(length=200), nullable=False),
        sa.Column("structure_key", sa.String(length=200), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("chars", sa.BigInteger(), nullable=False),
        sa.Column("first_chunk", sa.Integer(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("last_page", sa.Integer()),
        sa.Column("done", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["document_key", "n"], ["revisions.document_key", "revisions.n"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("document_key", "n", "number"),
    )
    op.create_index("parts_by_structure", "parts", ["tenant", "structure_key"])
    op.create_index("parts_by_text", "parts", ["tenant", "text_key"])
