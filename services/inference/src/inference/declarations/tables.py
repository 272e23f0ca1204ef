"""What is declared while the service runs, beside the models file. Keys of servers are not here, only their names."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Integer, LargeBinary, MetaData, String, Table, Text

from servicekit.sql.database import UtcTime

metadata = MetaData()

MODELS = Table(
    "models",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("declaration", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
"""`declaration` is an entry of the models file without its name and `default`."""
PREVIOUS = "previous"
"""In the declaration of a tuned model the entry of another job that it replaced, which comes back with its end."""

DEFAULTS = Table(
    "defaults",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("model", String(128), nullable=False),
)
"""The default of a kind where somebody chose one: an added model or one of the models file."""

CHANGES = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
)
"""One row from the first change on, whose number each change raises: what replicas look at."""

VECTORS = Table(
    "vectors",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("declaration", JSON, nullable=False),
    Column("digest", String(80)),
)
"""The embedding models that have given vectors, also those that were removed since: collections are bound to a name."""

ADAPTER_PIECES = Table(
    "adapter_pieces",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("job", String(40), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
"""What tuning jobs have learnt, in pieces of a megabyte: here, so that each replica has it though the lab is away."""

MATRICES = Table(
    "matrices",
    metadata,
    Column("digest", String(71), primary_key=True),
    Column("content", Text, nullable=False),
)
"""Matrices of declarations, as JSON: a declaration has their digest in their place."""
