from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from sqlalchemy import select
from tests.support.ingest.blob_conformance import CONTENT, KEY

from ingest.blobs.folder import FolderBlobs
from ingest.blobs.s3 import S3Blobs
from ingest.settings import IngestSettings
from ingest.stores import disk_room, open_blobs, open_database, process_name
from ingest.tables import JOBS
from servicekit.sql.database import Database

KEYS: dict[str, Any] = {"s3_access_key_id": "id", "s3_secret_access_key": "secret"}


async def test_a_database_is_opened_with_the_newest_schema_and_again_with_what_is_in_it(tmp_path: Path) -> None:
    for _ in range(2):
        async with open_database(IngestSettings(data_dir=tmp_path)) as database, database.read() as connection:
            assert (await connection.execute(select(JOBS))).all() == []


async def test_bytes_lie_in_the_folder_that_the_settings_name(tmp_path: Path, database: Database) -> None:
    for settings, folder in (
        (IngestSettings(data_dir=tmp_path), tmp_path / "blobs"),
        (IngestSettings(data_dir=tmp_path, blobs_url=f"file://{tmp_path}/else"), tmp_path / "else"),
    ):
        async with open_blobs(settings, database) as blobs:
            assert isinstance(blobs, FolderBlobs)
            await blobs.put(KEY, io.BytesIO(CONTENT))
        assert any(folder.rglob(KEY.partition("/")[2]))
        assert disk_room(settings).folder == folder


async def test_a_bucket_is_opened_though_its_server_is_away_and_what_is_read_of_it_lies_in_the_data_folder(
    tmp_path: Path, database: Database
) -> None:
    settings = IngestSettings(data_dir=tmp_path, blobs_url="s3://bucket", s3_endpoint="http://away.test:9000", **KEYS)
    async with open_blobs(settings, database) as blobs:
        assert isinstance(blobs, S3Blobs)
    assert disk_room(settings).folder == tmp_path


def test_no_two_processes_have_one_name_and_each_tells_its_part_and_host() -> None:
    names = {process_name("worker") for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith("worker@") and len(name) <= 100 for name in names)
