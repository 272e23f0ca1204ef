"""Which rerank model a collection's searches are reranked by, where it is not the default one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("collections", sa.Column("rerank_model", sa.String(200)))


def downgrade() -> None:
    op.drop_column("collections", "rerank_model")
