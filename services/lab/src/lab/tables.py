"""The lab's tables: question sets, their versions, and the questions.

A question is stored once for all the versions in a row that have it: from `first_version` to `last_version`, which is
null while the newest one has it.
"""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, MetaData, String, Table, Text

from servicekit.sql.database import UtcTime

metadata = MetaData()

QUESTION_SETS = Table(
    "question_sets",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("description", Text, nullable=False),
    Column("newest", Integer, nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("deleted_at", UtcTime),
)

VERSIONS = Table(
    "question_set_versions",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("counts", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

QUESTIONS = Table(
    "questions",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("first_version", Integer, nullable=False),
    Column("last_version", Integer),
    Column("question_id", String(200), nullable=False),
    Column("split", String(63)),
    Column("digest", String(64), nullable=False),
    Column("content", JSON, nullable=False),
    Index("questions_by_version", "tenant", "name", "last_version", "first_version"),
)
