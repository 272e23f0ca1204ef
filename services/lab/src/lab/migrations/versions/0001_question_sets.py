"""Question sets, their versions, and the questions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "question_sets",
        *_name(),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("newest", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("deleted_at", sa.Double(), nullable=True),
    )
    op.create_table(
        "question_set_versions",
        *_name(),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
    )
    op.create_table(
        "questions",
        *_name(),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("first_version", sa.Integer(), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=True),
        sa.Column("question_id", sa.String(200), nullable=False),
        sa.Column("split", sa.String(63), nullable=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
    )
    op.create_index("questions_by_version", "questions", ["tenant", "name", "last_version", "first_version"])


def _name() -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, sa.String(63), primary_key=True) for name in ("tenant", "name"))


def downgrade() -> None:
    for table in ("questions", "question_set_versions", "question_sets"):
        op.drop_table(table)
