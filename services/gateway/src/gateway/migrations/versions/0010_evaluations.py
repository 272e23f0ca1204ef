"""Administrators may read and change question sets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
SCOPES = ("evaluations:read", "evaluations:write")
KEYS = sa.table("keys", sa.column("id", sa.String), sa.column("scopes", sa.JSON))


def upgrade() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(KEYS)).mappings().all():
        if "admin" in row["scopes"]:
            scopes = [*row["scopes"], *(scope for scope in SCOPES if scope not in row["scopes"])]
            connection.execute(sa.update(KEYS).where(KEYS.c.id == row["id"]).values(scopes=scopes))


def downgrade() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(KEYS)).mappings().all():
        scopes = [scope for scope in row["scopes"] if scope not in SCOPES]
        connection.execute(sa.update(KEYS).where(KEYS.c.id == row["id"]).values(scopes=scopes))
