"""What tuning jobs learnt is in pieces: whole files were gigabytes in a reader's and a backup's memory."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
_BYTES = 1_000_000


def upgrade() -> None:
    pieces = op.create_table(
        "tuning_artifact_pieces",
        sa.Column("job_id", sa.String(40), sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    connection = op.get_bind()
    whole = sa.table("tuning_artifacts", sa.column("job_id"), sa.column("content", sa.LargeBinary))
    for job_id in connection.execute(sa.select(whole.c.job_id)).scalars().all():
        content = connection.execute(sa.select(whole.c.content).where(whole.c.job_id == job_id)).scalar_one()
        for number, first in enumerate(range(0, len(content), _BYTES)):
            piece = {"job_id": job_id, "number": number, "content": content[first : first + _BYTES]}
            connection.execute(sa.insert(pieces).values(**piece))
    op.drop_column("tuning_artifacts", "content")


def downgrade() -> None:
    """What was learnt is not put together again: no row of before is larger than a database takes."""
    op.execute("DELETE FROM tuning_artifacts")
    op.add_column("tuning_artifacts", sa.Column("content", sa.LargeBinary, nullable=False, server_default=""))
    op.drop_table("tuning_artifact_pieces")
