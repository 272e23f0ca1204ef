"""What the vectors are of that an embedding model's name has given, remembered when the model is removed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    vectors = op.create_table(
        "vectors",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("declaration", sa.JSON, nullable=False),
        sa.Column("digest", sa.String(80)),
    )
    models = sa.table("models", sa.column("name", sa.String), sa.column("declaration", sa.JSON))
    rows = op.get_bind().execute(sa.select(models)).mappings()
    named = [dict(row) for row in rows if row["declaration"].get("kind") == "embedding"]
    if named:
        op.bulk_insert(vectors, named)


def downgrade() -> None:
    op.drop_table("vectors")
