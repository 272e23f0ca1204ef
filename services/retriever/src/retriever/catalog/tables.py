"""The catalog: which collections there are, where their vectors lie, which revision of a document is visible."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from servicekit.backup.lock import backup_lock_table
from servicekit.sql.database import UtcTime

metadata = MetaData()

# `model_reason` says why we chose the embedding model; it is null where somebody named it. While it is empty, the first
# document is waited for: the model is the default one for the time being, and nothing is indexed by it.
collections = Table(
    "collections",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("name", String(63), nullable=False),
    Column("description", Text, nullable=False),
    Column("embedding_model", String(1100), nullable=False),
    Column("model_reason", Text),
    Column("dimensions", Integer, nullable=False),
    Column("max_input_tokens", Integer, nullable=False),
    Column("chunking", JSON, nullable=False),
    Column("language", String(8), nullable=False),
    Column("vector_options", JSON, nullable=False),
    Column("mode", String(16), nullable=False, server_default="hybrid"),
    Column("rerank", Boolean, nullable=False),
    Column("rerank_model", String(200)),
    Column("abstain", String(10)),
    Column("delete_records", Boolean, nullable=False, server_default=false()),
    Column("revision", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # active | deleting
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("tenant", "name", name="uq_collections_tenant_name"),
)

# One generation is active, at most one is being built beside it. A `retired` one is read by nobody and its vectors go;
# `dropped` says that they are gone. The rows stay, so that a late caller can't build again what was abandoned (`key`).
# Generations of the same `layout` hold the same chunks. `cursor` is how far the document at hand is copied.
generations = Table(
    "generations",
    metadata,
    Column("collection_id", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("physical_name", String(100), nullable=False, unique=True),
    Column("key", String(80), nullable=False),
    Column("state", String(16), nullable=False),  # active | building | retired | dropped
    Column("layout", Integer, nullable=False),
    Column("embedding_model", String(1100), nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("max_input_tokens", Integer, nullable=False),
    Column("chunking", JSON, nullable=False),
    Column("language", String(8), nullable=False),
    Column("vector_options", JSON, nullable=False),
    Column("cursor", JSON(none_as_null=True)),
    Column("total_chunks", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    ForeignKeyConstraint(["collection_id"], ["collections.id"], ondelete="CASCADE"),
    UniqueConstraint("collection_id", "key", name="uq_generations_key"),
)
for _state in ("active", "building"):
    Index(
        f"one_{_state}_generation",
        generations.c.collection_id,
        unique=True,
        sqlite_where=generations.c.state == _state,
        postgresql_where=generations.c.state == _state,
    )

# `fence` is the highest committed or deleted revision: nothing at or below it may be written. `active` is the
# committed revision that is visible; while it is null, `pending` (a first revision that is still arriving) is.
# `cleanup` says that points which nobody may see can still lie in the vector store. `uncopied` says that the visible
# revision is not wholly in the generation that is being built, `misses` counts the batches that were not written there;
# `staged` is a revision of which it holds, cut anew,
# `staged_chunks` chunks.
documents = Table(
    "documents",
    metadata,
    Column("collection_id", String(64), primary_key=True),
    Column("document_id", String(200), primary_key=True),
    Column("active", Integer),
    Column("pending", Integer),
    Column("fence", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("cleanup", Boolean, nullable=False),
    Column("uncopied", Boolean, nullable=False),
    Column("misses", Integer, nullable=False),
    Column("staged", Integer),
    Column("staged_chunks", Integer),
    Column("facts", JSON, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    ForeignKeyConstraint(["collection_id"], ["collections.id"], ondelete="CASCADE"),
)
Index(
    "ix_documents_uncopied",
    documents.c.collection_id,
    documents.c.document_id,
    sqlite_where=documents.c.uncopied.is_(True),
    postgresql_where=documents.c.uncopied.is_(True),
)
Index("ix_documents_cleanup", documents.c.cleanup, documents.c.collection_id, documents.c.document_id)

backup_lock = backup_lock_table(metadata)
