"""Matrices of declarations beside them, by their digest. Those of rows that are there stay in them until they are
declared again."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "matrices",
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
    )


def downgrade() -> None:
    connection, models = op.get_bind(), sa.table("models", sa.column("name"), sa.column("declaration", sa.JSON))
    for name in connection.execute(sa.select(models.c.name)).scalars().all():
        one = models.c.name == name
        declaration = connection.execute(sa.select(models.c.declaration).where(one)).scalar_one()
        if (whole := _whole(connection, declaration)) != declaration:
            connection.execute(sa.update(models).where(one).values(declaration=whole))
    op.drop_table("matrices")


def _whole(connection: sa.Connection, held: Any) -> Any:
    """With matrices in place of their digests, also in what it had replaced."""
    if not isinstance(held, dict):
        return held
    return {
        name: _content(connection, part) if name == "matrices" and isinstance(part, str) else _whole(connection, part)
        for name, part in held.items()
    }


def _content(connection: sa.Connection, digest: str) -> Any:
    matrices = sa.table("matrices", sa.column("digest"), sa.column("content"))
    content = connection.execute(sa.select(matrices.c.content).where(matrices.c.digest == digest)).scalar()
    return digest if content is None else json.loads(content)
