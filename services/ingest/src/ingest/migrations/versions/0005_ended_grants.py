"""Jobs that have ended hold no grants."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("UPDATE jobs SET grant_token = NULL WHERE status NOT IN ('queued', 'running')")


def downgrade() -> None:
    pass
