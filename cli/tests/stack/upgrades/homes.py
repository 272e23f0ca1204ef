"""A home as a version before this one left it: small databases of an older schema, bytes and vectors."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from groundwork.stack.checks.databases import LEDGERS
from groundwork.stack.home.folder import Home

FIRST = "0001"


def older_home(folder: Path) -> Home:
    """A home whose every database has the first schema's number and one row."""
    home = Home.at(folder)
    home.create()
    for service in LEDGERS:
        home.data(service).mkdir(parents=True)
        with closing(sqlite3.connect(database(home, service))) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
            connection.execute("INSERT INTO alembic_version VALUES (?)", (FIRST,))
            connection.execute("CREATE TABLE words (word TEXT)")
            connection.commit()
    write(home, "gateway", "before")
    blob = home.data("ingest") / "blobs" / "acme" / "ab" / "abcd"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"bytes of a document")
    (home.data("ingest") / "parsing").mkdir()
    (home.data("ingest") / "parsing" / "left").write_text("scratch")
    vectors = home.data("retriever") / "vectors" / "notes" / "page.dat"
    vectors.parent.mkdir(parents=True)
    with vectors.open("wb") as file:
        file.truncate(50_000_000)
        file.seek(40_000_000)
        file.write(b"vector")
    return home


def database(home: Home, service: str) -> Path:
    """The file of a service."""
    return home.data(service) / f"{service}.sqlite"


def write(home: Home, service: str, word: str) -> None:
    """Put a word into a database."""
    with closing(sqlite3.connect(database(home, service))) as connection:
        connection.execute("INSERT INTO words VALUES (?)", (word,))
        connection.commit()


def words(file: Path) -> list[str]:
    """What was put into a database."""
    with closing(sqlite3.connect(file)) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM words")]
