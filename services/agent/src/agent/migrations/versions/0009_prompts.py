"""Prompts with versions and labels; of agents, which version was active before, and no number is given twice."""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
AGENTS = sa.table("agents", sa.column("version", sa.Integer), sa.column("newest", sa.Integer))
VERSIONS = sa.table(
    "agent_versions",
    sa.column("tenant", sa.String),
    sa.column("name", sa.String),
    sa.column("version", sa.Integer),
    sa.column("definition", sa.JSON),
    sa.column("digest", sa.String),
)


def upgrade() -> None:
    op.add_column("agents", sa.Column("previous", sa.Integer(), nullable=True))
    op.add_column("agents", sa.Column("newest", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("agent_versions", sa.Column("digest", sa.String(64), nullable=False, server_default=""))
    connection = op.get_bind()
    connection.execute(sa.update(AGENTS).values(newest=AGENTS.c.version))
    for row in connection.execute(sa.select(VERSIONS)).mappings().all():
        same = sa.and_(*(VERSIONS.c[name] == row[name] for name in ("tenant", "name", "version")))
        connection.execute(sa.update(VERSIONS).where(same).values(digest=_digest(row["definition"])))
    op.create_table(
        "prompts",
        *_name(),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("previous", sa.Integer(), nullable=True),
        sa.Column("newest", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("deleted_at", sa.Double(), nullable=True),
        sa.Column("key_id", sa.String(64), nullable=True),
    )
    op.create_table(
        "prompt_versions",
        *_name(),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
    )
    op.create_table(
        "prompt_labels",
        *_name(),
        sa.Column("label", sa.String(63), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("previous", sa.Integer(), nullable=True),
    )


def _name() -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, sa.String(63), primary_key=True) for name in ("tenant", "name"))


def downgrade() -> None:
    for table in ("prompt_labels", "prompt_versions", "prompts"):
        op.drop_table(table)
    op.drop_column("agent_versions", "digest")
    op.drop_column("agents", "newest")
    op.drop_column("agents", "previous")


def _digest(definition: object) -> str:
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()
