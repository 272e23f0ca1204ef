from __future__ import annotations

import socket
import sqlite3
import time
from collections import namedtuple
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from cli.tests.installation import NOTHING, overrides

from groundwork.stack.checks.stores import ALIVE_SECONDS, _remote_workers, blobs_folder, examine_stores, is_shared
from groundwork.stack.home.folder import Home

POSTGRES = "postgresql+asyncpg://h/d"
Partition = namedtuple("Partition", ["mountpoint", "fstype"])  # psutil's own


def workers(home: Home, *ids: str, ago: float = 0.0) -> None:
    """Workers that were last seen so many seconds ago."""
    file = home.data("ingest") / "ingest.sqlite"
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS workers (id TEXT, seen_at REAL)")
        connection.executemany("INSERT INTO workers VALUES (?, ?)", [(each, time.time() - ago) for each in ids])
        connection.commit()


def mounted(monkeypatch: pytest.MonkeyPatch, **kinds: str) -> None:
    """What lies where: the kind of file system by place."""
    partitions = [Partition("/", "ext4"), *(Partition(place, kind) for place, kind in kinds.items())]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: partitions)  # noqa: A006  # its name


def test_a_new_home_has_nothing_that_could_be_wrong_and_looking_makes_nothing(home: Home) -> None:
    (finding,) = examine_stores(home, NOTHING)
    assert (finding.check, finding.ok) == ("workers", True)
    assert not home.root.exists()


def test_a_worker_of_another_host_that_is_alive_can_not_share_sqlite(home: Home) -> None:
    here = socket.gethostname()[:40]
    workers(home, f"worker@{here}:17:a", "worker@far:17:a", "worker@far:18:b")
    workers(home, "worker@gone:17:a", ago=ALIVE_SECONDS + 60)
    finding = _remote_workers(home, NOTHING, set())
    assert not finding.ok
    assert finding.detail.startswith("on far, with SQLite in ")
    assert "PostgreSQL" in finding.mend


def test_workers_of_other_hosts_need_a_common_place_for_bytes(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    own = overrides(home, INGEST_DATABASE_URL=POSTGRES)
    finding = _remote_workers(home, own, {"far", "near"})
    assert not finding.ok
    assert finding.detail == f"on far, near, with bytes in {home.data('ingest')} on this host's own disk"
    mounted(monkeypatch, **{str(home.root.parent): "nfs4"})
    assert _remote_workers(home, own, {"far"}).ok
    on_s3 = overrides(home, INGEST_DATABASE_URL=POSTGRES, INGEST_BLOBS_URL="s3://bucket")
    assert _remote_workers(home, on_s3, {"far"}).detail == "on far, with a common database and bytes on S3"


def test_a_ledger_that_can_not_be_read_is_told_by_its_own_check(home: Home) -> None:
    home.data("ingest").mkdir(parents=True)
    (home.data("ingest") / "ingest.sqlite").write_bytes(b"no database" * 1000)
    found = {finding.check: finding.ok for finding in examine_stores(home, NOTHING)}
    assert found == {"database of ingest": False, "workers": True}


def test_bytes_lie_where_the_settings_say(home: Home) -> None:
    assert blobs_folder(home, NOTHING) == home.data("ingest")
    assert blobs_folder(home, overrides(home, INGEST_DATA_DIR="/data")) == Path("/data")
    elsewhere = overrides(home, INGEST_DATA_DIR="/data", INGEST_BLOBS_URL="file:///mnt/a%20b")
    assert blobs_folder(home, elsewhere) == Path("/mnt/a b")


@pytest.mark.parametrize(
    ("kinds", "shared"),
    [
        ({}, False),
        ({"/mnt": "nfs4"}, True),
        ({"/mnt": "nfs4", "/mnt/disk": "xfs"}, False),
        ({"/mnt/disk": "fuse.s3fs"}, True),
        ({"/mnt/disk": "fuseblk"}, False),
        ({"/mnt/dis": "cifs"}, False),
    ],
    ids=["the root", "NFS above", "a disk within NFS", "FUSE", "a local FUSE", "a name that begins alike"],
)
def test_what_lies_nearest_says_whether_hosts_can_share_a_folder(
    monkeypatch: pytest.MonkeyPatch, kinds: dict[str, str], shared: bool
) -> None:
    mounted(monkeypatch, **kinds)
    assert is_shared(Path("/mnt/disk/blobs")) is shared
