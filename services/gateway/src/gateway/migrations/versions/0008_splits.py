"""Versions of routes, and which variant of one a call was of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from servicekit.sql.database import UtcTime

revision = "0008"
down_revision = "0007"
SPLIT = sa.text("split IS NOT NULL")


def upgrade() -> None:
    op.add_column("usage", sa.Column("split", sa.String(100)))
    op.add_column("usage", sa.Column("split_version", sa.Integer))
    op.add_column("usage", sa.Column("variant", sa.String(200)))
    op.add_column("usage", sa.Column("unit", sa.String(24)))
    for name in ("failed", "abstained", "grounded"):
        op.add_column("usage", sa.Column(name, sa.Boolean))
    op.add_column("usage", sa.Column("answer_id", sa.String(200)))
    columns = ["split", "split_version", "started_at"]
    op.create_index("usage_by_split", "usage", columns, sqlite_where=SPLIT, postgresql_where=SPLIT)
    op.add_column("routes", sa.Column("version", sa.Integer, nullable=False, server_default="1"))
    op.create_table(
        "route_versions",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("activated_at", UtcTime, nullable=False),
        sa.Column("ended_at", UtcTime),
        sa.Column("ended_by", sa.JSON),
    )
    op.execute(
        "INSERT INTO route_versions (name, version, spec, created_at, activated_at) "
        "SELECT name, 1, spec, updated_at, updated_at FROM routes"
    )


def downgrade() -> None:
    op.drop_table("route_versions")
    op.drop_column("routes", "version")
    op.drop_index("usage_by_split", "usage")
    for name in ("split", "split_version", "variant", "unit", "failed", "abstained", "grounded", "answer_id"):
        op.drop_column("usage", name)
