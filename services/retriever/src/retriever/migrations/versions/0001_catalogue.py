"""The catalogue: collections, generations, documents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "collections",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("embedding_model", sa.String(1100), nullable=False),
        sa.Column("dimensions", sa.Integer, nullable=False),
        sa.Column("max_input_tokens", sa.Integer, nullable=False),
        sa.Column("chunking", sa.JSON, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("vector_options", sa.JSON, nullable=False),
        sa.Column("rerank", sa.Boolean, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.UniqueConstraint("tenant", "name", name="uq_collections_tenant_name"),
    )
    op.create_table(
        "generations",
        sa.Column("collection_id", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("physical_name", sa.String(100), nullable=False, unique=True),
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("layout", sa.Integer, nullable=False),
        sa.Column("embedding_model", sa.String(1100), nullable=False),
        sa.Column("dimensions", sa.Integer, nullable=False),
        sa.Column("max_input_tokens", sa.Integer, nullable=False),
        sa.Column("chunking", sa.JSON, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("vector_options", sa.JSON, nullable=False),
        sa.Column("cursor", sa.JSON),
        sa.Column("total_chunks", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.ForeignKeyConstraint(["collection_id"], ["collections.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("collection_id", "key", name="uq_generations_key"),
    )
    for state in ("active", "building"):
        only = sa.text(f"state = '{state}'")
        op.create_index(
            f"one_{state}_generation",
            "generations",
            ["collection_id"],
            unique=True,
            sqlite_where=only,
            postgresql_where=only,
        )
    op.create_table(
        "documents",
        sa.Column("collection_id", sa.String(64), primary_key=True),
        sa.Column("document_id", sa.String(200), primary_key=True),
        sa.Column("active", sa.Integer),
        sa.Column("pending", sa.Integer),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("chunks", sa.Integer, nullable=False),
        sa.Column("cleanup", sa.Boolean, nullable=False),
        sa.Column("uncopied", sa.Boolean, nullable=False),
        sa.Column("misses", sa.Integer, nullable=False),
        sa.Column("staged", sa.Integer),
        sa.Column("staged_chunks", sa.Integer),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.ForeignKeyConstraint(["collection_id"], ["collections.id"], ondelete="CASCADE"),
    )
    op.create_index(
        "ix_documents_uncopied",
        "documents",
        ["collection_id", "document_id"],
        sqlite_where=sa.text("uncopied IS 1"),
        postgresql_where=sa.text("uncopied IS true"),
    )
    op.create_index("ix_documents_cleanup", "documents", ["cleanup", "collection_id", "document_id"])


def downgrade() -> None:
    op.drop_table("documents")
    op.drop_table("generations")
    op.drop_table("collections")
