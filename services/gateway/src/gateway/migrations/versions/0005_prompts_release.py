"""Keys of administrators may move protected labels of prompts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
SCOPE = "prompts:release"
KEYS = sa.table("keys", sa.column("id", sa.String), sa.column("scopes", sa.JSON))


def upgrade() -> None:
    for row in _keys():
        if "admin" in row["scopes"] and SCOPE not in row["scopes"]:
            _set(row["id"], [*row["scopes"], SCOPE])


def downgrade() -> None:
    for row in _keys():
        if SCOPE in row["scopes"]:
            _set(row["id"], [scope for scope in row["scopes"] if scope != SCOPE])


def _keys() -> list[sa.RowMapping]:
    return list(op.get_bind().execute(sa.select(KEYS)).mappings().all())


def _set(key_id: str, scopes: list[str]) -> None:
    op.get_bind().execute(sa.update(KEYS).where(KEYS.c.id == key_id).values(scopes=scopes))
