from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from servicekit.core.version import package_version
from servicekit.sql.database import Database
from servicekit.sql.migrations import UnknownRevision, migrate, newest, record_of

MIGRATION = """
from alembic import op

revision = "{revision}"
down_revision = {before}


def upgrade() -> None:
    op.execute("CREATE TABLE t{revision} (id INTEGER)")
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    (tmp_path / "versions").mkdir()
    _write(tmp_path, "0001", "None")
    return tmp_path


def _write(scripts: Path, revision: str, before: str) -> None:
    text_ = MIGRATION.format(revision=revision, before=before)
    (scripts / "versions" / f"{revision}_something.py").write_text(text_)


async def _tables(database: Database) -> list[str]:
    async with database.read() as connection:
        return list((await connection.execute(text("SELECT name FROM sqlite_master WHERE name LIKE 't0%'"))).scalars())


async def _record(database: Database, statement: str) -> None:
    async with database.write() as connection:
        await connection.execute(text(statement))


async def test_a_new_file_is_all_that_a_migration_needs(scripts: Path, tmp_path: Path) -> None:
    database = Database.open(None, tmp_path, "sample")
    await migrate(database, scripts)
    _write(scripts, "0002", '"0001"')
    assert newest(scripts) == "0002"
    await migrate(database, scripts)
    await migrate(database, scripts)
    assert await _tables(database) == ["t0001", "t0002"]
    await database.close()


async def test_a_schema_of_a_later_version_is_refused(scripts: Path, tmp_path: Path) -> None:
    database = Database.open(None, tmp_path, "sample")
    await migrate(database, scripts)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0009'"))
    await _record(database, "UPDATE alembic_version SET migrated_by = '7.1.0'")
    with pytest.raises(UnknownRevision) as error:
        await migrate(database, scripts)
    assert str(error.value).startswith(
        f"The data of {scripts.parent.name} need Groundwork 7.1.0 or newer, and this is "
    )
    assert str(error.value).endswith(
        ": install 7.1.0, or restore the backup that was made before the upgrade: `groundwork restore BACKUP`."
    )
    await _record(database, "ALTER TABLE alembic_version DROP COLUMN migrated_by")
    with pytest.raises(UnknownRevision, match="need a newer version of Groundwork"):
        await migrate(database, scripts)
    await database.close()


async def test_a_database_names_the_version_that_migrated_it_last(scripts: Path, tmp_path: Path) -> None:
    database = Database.open(None, tmp_path, "sample")
    await migrate(database, scripts)
    assert await record_of(database) == ("0001", package_version("servicekit"))
    await _record(database, "UPDATE alembic_version SET migrated_by = '0.0.1'")
    await migrate(database, scripts)
    assert await record_of(database) == ("0001", "0.0.1")  # nothing was migrated
    _write(scripts, "0002", '"0001"')
    await migrate(database, scripts)
    assert await record_of(database) == ("0002", package_version("servicekit"))
    await database.close()


async def test_a_database_from_before_versions_were_named_is_given_one_by_a_start(
    scripts: Path, tmp_path: Path
) -> None:
    database = Database.open(None, tmp_path, "sample")
    await migrate(database, scripts)
    await _record(database, "ALTER TABLE alembic_version DROP COLUMN migrated_by")
    await migrate(database, scripts)
    assert await record_of(database) == ("0001", package_version("servicekit"))
    await database.close()


KILLED = """
import os, signal
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("CREATE TABLE t0003 (id INTEGER)")
    {kill}
"""


async def test_a_kill_in_the_middle_of_a_migration_leaves_the_schema_that_was_and_the_next_start_ends_it(
    scripts: Path, tmp_path: Path
) -> None:
    database = Database.open(None, tmp_path, "sample")
    await migrate(database, scripts)
    await database.close()
    _write(scripts, "0002", '"0001"')
    file = scripts / "versions" / "0003_killed.py"
    file.write_text(KILLED.format(kill="os.kill(os.getpid(), signal.SIGKILL)"))
    code = (
        "import asyncio, sys; from pathlib import Path; from servicekit.sql.database import Database;"
        "from servicekit.sql.migrations import migrate; folder = Path(sys.argv[1]);"
        "asyncio.run(migrate(Database.open(None, folder, 'sample'), folder))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    killed = await asyncio.to_thread(subprocess.run, command, check=False)
    assert killed.returncode == -signal.SIGKILL
    database = Database.open(None, tmp_path, "sample")
    assert (await record_of(database))[0] == "0001"
    assert await _tables(database) == ["t0001"]
    file.write_text(KILLED.format(kill=""))
    await migrate(database, scripts)
    assert await _tables(database) == ["t0001", "t0002", "t0003"]
    await database.close()


async def test_a_start_on_the_newest_schema_does_without_alembic(scripts: Path, tmp_path: Path) -> None:
    database = Database.open(None, tmp_path, "sample")
    await migrate(database, scripts)
    await database.close()
    code = (
        "import asyncio, sys; from pathlib import Path; from servicekit.sql.database import Database;"
        "from servicekit.sql.migrations import migrate; from servicekit.backup import tables;"
        "folder = Path(sys.argv[1]); database = Database.open(None, folder, 'sample');"
        "asyncio.run(migrate(database, folder)); assert 'alembic' not in sys.modules; asyncio.run(database.close())"
    )
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, str(tmp_path)], check=True)
