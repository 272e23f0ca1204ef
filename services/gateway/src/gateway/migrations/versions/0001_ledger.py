"""Tenants, keys, usage, audit.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from servicekit.sql.database import UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tenants",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("limits", sa.JSON, nullable=False),
        sa.Column("budgets", sa.JSON, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
    )
    _keys()
    _usage()
    _routes()
    _reservations()
    op.create_table(
        "audit",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("actor_key_id", sa.String(64), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("request_id", sa.String(128)),
        sa.Column("detail", sa.JSON, nullable=False),
    )
    op.create_index("audit_by_time", "audit", ["at"])


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("previous_hash", sa.String(64), unique=True),
        sa.Column("previous_until", UtcTime),
        sa.Column("admin", sa.Boolean, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("models", sa.JSON),
        sa.Column("collections", sa.JSON),
        sa.Column("limits", sa.JSON, nullable=False),
        sa.Column("budgets", sa.JSON, nullable=False),
        sa.Column("guardrails", sa.JSON),
        sa.Column("expires_at", UtcTime),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("last_used_at", UtcTime),
        sa.Column("revoked_at", UtcTime),
    )
    op.create_index("ix_keys_tenant", "keys", ["tenant"])


def _usage() -> None:
    op.create_table(
        "usage",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("parent_id", sa.String(64)),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("route", sa.String(40), nullable=False),
        sa.Column("model", sa.String(200)),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("completion_tokens", sa.BigInteger, nullable=False),
        sa.Column("embedding_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_tokens", sa.BigInteger, nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
        sa.Column("estimated", sa.Boolean, nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("error_type", sa.String(40)),
        sa.Column("cache", sa.String(10), nullable=False),
        sa.Column("streamed", sa.Boolean, nullable=False),
        sa.Column("started_at", UtcTime, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("ms", sa.Integer, nullable=False),
    )
    op.create_index("usage_by_parent", "usage", ["parent_id"])
    op.create_index("usage_by_key", "usage", ["key_id", "started_at"])
    op.create_index("usage_by_tenant", "usage", ["tenant", "started_at"])
    op.create_index("usage_by_time", "usage", ["started_at"])


def _routes() -> None:
    op.create_table(
        "routes",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("updated_at", UtcTime, nullable=False),
    )


def _reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("parent_id", sa.String(64)),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("route", sa.String(40), nullable=False),
        sa.Column("model", sa.String(200)),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("completion_tokens", sa.BigInteger, nullable=False),
        sa.Column("embedding_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger),
        sa.Column("started_at", UtcTime, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("expires_at", UtcTime, nullable=False),
    )
    op.create_index("reservations_by_expiry", "reservations", ["expires_at"])
    op.create_index("reservations_by_owner", "reservations", ["owner"])
