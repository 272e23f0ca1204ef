"""Jobs that fetch models."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "pulls",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("failed_attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("waiting_on", sa.String(40)),
        sa.Column("waiting_since", sa.Double),
        sa.Column("cancel_requested", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("error", sa.JSON),
        sa.Column("last_event", sa.Integer, nullable=False, server_default="0"),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("traceparent", sa.String(64)),
        sa.Column("grant_token", sa.Text),
        sa.Column("grant_key_id", sa.String(64), nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("created_at", "queued_at")),
        *(sa.Column(name, sa.Double) for name in ("claimed_at", "started_at", "finished_at")),
        sa.Column("lease_owner", sa.String(100)),
        sa.Column("lease_expires_at", sa.Double),
        sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("not_before", sa.Double),
        sa.Column("model", sa.String(128), nullable=False),
        *(sa.Column(name, sa.JSON, nullable=False) for name in ("request", "declaration", "plan")),
        sa.Column("bytes_done", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("bytes_total", sa.BigInteger),
    )
    live = sa.text("status IN ('queued', 'running')")
    op.create_index("pulls_live", "pulls", ["tenant", "queued_at", "id"], sqlite_where=live, postgresql_where=live)
    op.create_index("pulls_served", "pulls", ["tenant", "claimed_at"])
    op.create_index("pulls_finished", "pulls", ["finished_at"])
    op.create_index("pulls_of_a_model", "pulls", ["model"], unique=True, sqlite_where=live, postgresql_where=live)


def downgrade() -> None:
    op.drop_table("pulls")
