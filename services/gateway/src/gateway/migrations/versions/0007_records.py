"""Records of answers, off until a key or a tenant wants them; administrators may read and delete them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
SCOPES = ("records:read", "records:write")
KEYS = sa.table("keys", sa.column("id", sa.String), sa.column("scopes", sa.JSON))


def upgrade() -> None:
    op.add_column("tenants", sa.Column("records", sa.String(10), nullable=False, server_default="off"))
    op.add_column("tenants", sa.Column("records_days", sa.Integer, nullable=False, server_default="30"))
    op.add_column("keys", sa.Column("records", sa.String(10)))
    op.add_column("keys", sa.Column("records_days", sa.Integer))
    _make_tables()
    connection = op.get_bind()
    for row in connection.execute(sa.select(KEYS)).mappings().all():
        if "admin" in row["scopes"]:
            scopes = [*row["scopes"], *(scope for scope in SCOPES if scope not in row["scopes"])]
            connection.execute(sa.update(KEYS).where(KEYS.c.id == row["id"]).values(scopes=scopes))


def _make_tables() -> None:
    text, flag, number, time = sa.String, sa.Boolean, sa.Integer, sa.Double
    op.create_table(
        "records",
        sa.Column("id", text(64), primary_key=True),
        sa.Column("tenant", text(63), nullable=False),
        sa.Column("key_id", text(64), nullable=False),
        sa.Column("request_id", text(128), nullable=False),
        sa.Column("call_id", text(64), nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("expires_at", time, nullable=False),
        sa.Column("mode", text(10), nullable=False),
        sa.Column("user", text(512)),
        sa.Column("user_hash", text(64)),
        sa.Column("model", text(200), nullable=False),
        *(sa.Column(name, text(200)) for name in ("answered_by", "model_digest", "adapter", "variant", "prompt")),
        sa.Column("collections", sa.Text, nullable=False),
        sa.Column("question", sa.Text),
        sa.Column("answer", sa.Text),
        sa.Column("abstained", flag, nullable=False),
        sa.Column("error_type", text(40)),
        sa.Column("status", number, nullable=False),
        sa.Column("cache", text(10), nullable=False),
        sa.Column("streamed", flag, nullable=False),
        sa.Column("ms", number, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_index("records_by_tenant", "records", ["tenant", "at", "id"])
    op.create_index("records_by_user", "records", ["tenant", "user_hash"])
    op.create_index("records_by_expiry", "records", ["expires_at"])
    op.create_table(
        "record_documents",
        sa.Column("record_id", text(64), sa.ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("collection", text(63), primary_key=True),
        sa.Column("document_id", text(200), primary_key=True),
        sa.Column("tenant", text(63), nullable=False),
    )
    op.create_index("record_documents_by_document", "record_documents", ["tenant", "collection", "document_id"])


def downgrade() -> None:
    op.drop_table("record_documents")
    op.drop_table("records")
    for table in ("keys", "tenants"):
        op.drop_column(table, "records_days")
        op.drop_column(table, "records")
