"""The jobs that fetch models."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, MetaData, String, Table, text

from servicekit.jobs.tables import JobTable, job_columns, job_indexes

_LIVE = text("status IN ('queued', 'running')")
PULLS = Table(
    "pulls",
    MetaData(),
    *job_columns(),
    Column("model", String(128), nullable=False),
    Column("request", JSON, nullable=False),
    Column("declaration", JSON, nullable=False),
    Column("plan", JSON, nullable=False),
    Column("bytes_done", BigInteger, nullable=False, server_default="0"),
    Column("bytes_total", BigInteger),
    *job_indexes("pulls"),
    Index("pulls_of_a_model", "model", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
)
"""`request` is what was asked for, `declaration` what is declared once it is there, `plan` what is fetched."""
PULL_JOBS = JobTable(PULLS)
