"""Calls inside a call are found by it, also where the tenant is asked for: SQLite, which has no statistics of its
indexes, took the one by tenant, and read all of a tenant's calls for each answer."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.drop_index("usage_by_parent", "usage")
    op.create_index("usage_by_parent", "usage", ["parent_id", "tenant"])


def downgrade() -> None:
    op.drop_index("usage_by_parent", "usage")
    op.create_index("usage_by_parent", "usage", ["parent_id"])
