"""What people say of answers, and the queue of answers to be judged. Administrators' keys may do both, as all else."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
KEYS = sa.table("keys", sa.column("id", sa.String), sa.column("scopes", sa.JSON))
SCOPES = ("feedback:write", "feedback:review")


def upgrade() -> None:
    op.add_column("tenants", sa.Column("feedback_labels", sa.JSON))
    _feedback()
    _reviews()
    for key_id, scopes in _scopes():
        if "admin" in scopes:
            _set(key_id, [*scopes, *(scope for scope in SCOPES if scope not in scopes)])


def downgrade() -> None:
    for key_id, scopes in _scopes():
        _set(key_id, [scope for scope in scopes if scope not in SCOPES])
    for table in ("reviews", "feedback_sources", "feedback"):
        op.drop_table(table)
    op.drop_column("tenants", "feedback_labels")


def _feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("answer_id", sa.String(200), nullable=False),
        sa.Column("part", sa.String(32), nullable=False),
        sa.Column("rating", sa.String(4)),
        sa.Column("verdict", sa.Integer),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.Column("comment", sa.Text),
        sa.Column("correction", sa.Text),
        sa.Column("preferred_over", sa.String(200)),
        sa.Column("model", sa.String(200)),
        sa.Column("prompt", sa.String(200)),
        sa.Column("collections", sa.Text, nullable=False),
        sa.Column("citation", sa.JSON),
        sa.Column("question", sa.String(64)),
        sa.Column("withheld", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
    )
    op.create_index("feedback_by_part", "feedback", ["tenant", "answer_id", "person", "part"], unique=True)
    op.create_index("feedback_by_tenant", "feedback", ["tenant", "id"])
    op.create_index("feedback_by_question", "feedback", ["tenant", "question", "answer_id", "id"])
    op.create_table(
        "feedback_sources",
        sa.Column("feedback_id", sa.String(64), primary_key=True),
        sa.Column("collection", sa.String(63), primary_key=True),
        sa.Column("document_id", sa.String(200), primary_key=True),
        sa.Column("tenant", sa.String(63), nullable=False),
    )
    op.create_index("feedback_sources_by_document", "feedback_sources", ["tenant", "collection", "document_id"])


def _reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("answer_id", sa.String(200), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reviewer", sa.String(200)),
        sa.Column("lease_until", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
    )
    op.create_index("reviews_by_number", "reviews", ["tenant", "answer_id", "number"], unique=True)
    op.create_index("reviews_by_reviewer", "reviews", ["tenant", "answer_id", "reviewer"], unique=True)
    op.create_index("reviews_by_state", "reviews", ["tenant", "state", "id"])


def _scopes() -> list[tuple[str, list[str]]]:
    return [(row.id, row.scopes) for row in op.get_bind().execute(sa.select(KEYS)).all()]


def _set(key_id: str, scopes: list[str]) -> None:
    op.get_bind().execute(sa.update(KEYS).where(KEYS.c.id == key_id).values(scopes=scopes))
