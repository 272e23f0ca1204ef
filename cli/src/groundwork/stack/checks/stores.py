"""What can be wrong with the stores of an installation: databases, Redis, the folder of bytes, and who shares them."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from groundwork.stack.checks.databases import LEDGERS, data_folder, database_file, examine_file
from groundwork.stack.checks.findings import Finding
from groundwork.stack.configuration.environment import Wiring, process_environment
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.folder import Home
from groundwork.stack.home.ports import NAMES
from servicekit.sql.database import Database

WORKER = "groundwork-worker@"
ALIVE_SECONDS = 30.0
REDIS_SECONDS = 2.0
BLOBS_SECONDS = 60.0
CHECKED_BYTES = 1_000_000_000
"""A larger database is not read through: that would take longer than one waits for a doctor."""
SHARED = ("nfs", "cifs", "smb", "ceph", "gluster", "lustre", "beegfs", "s3fs", "juicefs", "9p", "afs", "gcsfuse")
"""What the types of file systems that several hosts share are called."""


def examine_stores(home: Home, overrides: Overrides) -> Iterator[Finding]:
    """Run every check; none changes anything."""
    yield from _databases(home, overrides)
    names, unreachable = _workers_in_redis(overrides)
    if unreachable:
        yield Finding("redis", False, unreachable, "Start it, or correct REDIS_URL. Until then nothing is limited.")
    yield from _blobs_on_s3(home, overrides)
    yield _remote_workers(home, overrides, names)


def blobs_folder(home: Home, overrides: Overrides) -> Path:
    """The folder that originals and texts are kept in, where they are not on S3."""
    url = urlsplit(overrides.get("INGEST_BLOBS_URL") or "")
    return Path(unquote(url.path)) if url.scheme == "file" else data_folder(home, overrides, "ingest")


def _is_on_s3(overrides: Overrides) -> bool:
    return (overrides.get("INGEST_BLOBS_URL") or "").startswith("s3:")


def _blobs_on_s3(home: Home, overrides: Overrides) -> Iterator[Finding]:
    """Asked by ingest itself, with the environment that it would be started with."""
    if not _is_on_s3(overrides):
        return
    wiring = Wiring(home, dict.fromkeys(NAMES, 0), "redis://127.0.0.1:0/0", "doctor")
    environment = process_environment("ingest", wiring, overrides)
    command = [sys.executable, "-m", "ingest.blob_check"]
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter and module
            command, env=environment, capture_output=True, text=True, check=False, timeout=BLOBS_SECONDS
        )
        said = (done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or [""])[-1]
        ok = done.returncode == 0
    except subprocess.TimeoutExpired:
        ok, said = False, f"no answer within {BLOBS_SECONDS:.0f} s"
    mend = "Correct INGEST_BLOBS_URL and the settings INGEST_S3_…, or the server that they name."
    yield Finding("blobs", ok, f"S3: {said}", mend)


def _databases(home: Home, overrides: Overrides) -> Iterator[Finding]:
    for service in LEDGERS:
        file = database_file(home, overrides, service)
        if file is None:
            yield _server(service, SecretStr(overrides.get(f"{service.upper()}_DATABASE_URL") or ""))
        elif file.exists():
            yield examine_file(home, service, file, CHECKED_BYTES)


def _server(service: str, url: SecretStr) -> Finding:
    check, mend = f"database of {service}", f"Start it, or correct {service.upper()}_DATABASE_URL."

    async def probe() -> None:
        database = Database.open(url, Path(), service)
        try:
            async with asyncio.timeout(5):
                await database.probe()
        finally:
            await database.close()

    try:
        asyncio.run(probe())
    except (SQLAlchemyError, OSError, TimeoutError, ImportError) as error:
        return Finding(check, False, f"can't be reached ({type(error).__name__})", mend)
    return Finding(check, True, "answers")


def _workers_in_redis(overrides: Overrides) -> tuple[set[str], str]:
    """The workers that a Redis of one's own knows, by host; and why it can't be asked."""
    url = overrides.get("REDIS_URL")
    if url is None:
        return set(), ""
    try:
        with closing(Redis.from_url(url, socket_timeout=REDIS_SECONDS, decode_responses=True)) as redis:
            names = [str(client["name"]) for client in redis.client_list()]
    except (RedisError, OSError, ValueError) as error:
        return set(), f"can't be reached: {str(error)[:100]}"
    return {_host(name.removeprefix(WORKER)) for name in names if name.startswith(WORKER)}, ""


def _remote_workers(home: Home, overrides: Overrides, hosts: set[str]) -> Finding:
    """Workers of other hosts must see the same ledger and the same bytes."""
    check, here = "workers", socket.gethostname()[:40]
    file = database_file(home, overrides, "ingest")
    others = sorted((hosts | _workers_in_ledger(file)) - {here})
    if not others:
        return Finding(check, True, "none on other hosts")
    detail = f"on {', '.join(others)}"
    if file is not None:
        mend = "SQLite serves one host: set INGEST_DATABASE_URL to a PostgreSQL that all of them reach."
        return Finding(check, False, f"{detail}, with SQLite in {file}", mend)
    if _is_on_s3(overrides):
        return Finding(check, True, f"{detail}, with a common database and bytes on S3")
    folder = blobs_folder(home, overrides)
    if not is_shared(folder):
        mend = (
            "Keep bytes on S3 (INGEST_BLOBS_URL), or put INGEST_DATA_DIR on a file system that all of them share (NFS, "
            "CephFS), at the same place."
        )
        return Finding(check, False, f"{detail}, with bytes in {folder} on this host's own disk", mend)
    return Finding(check, True, f"{detail}, with a common database and folder")


def _workers_in_ledger(file: Path | None) -> set[str]:
    if file is None or not file.exists():
        return set()
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as connection:
            query = "SELECT id FROM workers WHERE seen_at > ?"
            rows = connection.execute(query, (time.time() - ALIVE_SECONDS,)).fetchall()
    except sqlite3.Error:  # the check of the database tells
        return set()
    return {_host(str(name).partition("@")[2]) for (name,) in rows}


def _host(name: str) -> str:
    """Of `<host>:<process>:<number>`."""
    return name.rsplit(":", 2)[0]


def is_shared(folder: Path) -> bool:
    """Whether a folder lies on a file system that several hosts can share."""
    place = folder.resolve()
    mounts = {partition.mountpoint: partition.fstype for partition in psutil.disk_partitions(all=True)}
    best = max((mount for mount in mounts if place.is_relative_to(mount)), key=len, default="/")
    kind = mounts.get(best, "").removeprefix("fuse.")
    return kind.startswith(SHARED)
