"""Keys that may use agents may write them, too, as before; not those that are limited to some collections or models."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
KEYS = sa.table(
    "keys",
    sa.column("id", sa.String),
    sa.column("scopes", sa.JSON),
    sa.column("models", sa.JSON),
    sa.column("collections", sa.JSON),
)


def upgrade() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(KEYS)).mappings().all():
        scopes, limited = row["scopes"], row["models"] is not None or row["collections"] is not None
        if "agents" in scopes and "agents:write" not in scopes and not limited:
            _set(connection, row["id"], [*scopes, "agents:write"])


def downgrade() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(KEYS)).mappings().all():
        if "agents:write" in row["scopes"]:
            _set(connection, row["id"], [scope for scope in row["scopes"] if scope != "agents:write"])


def _set(connection: sa.Connection, key_id: str, scopes: list[str]) -> None:
    connection.execute(sa.update(KEYS).where(KEYS.c.id == key_id).values(scopes=scopes))
