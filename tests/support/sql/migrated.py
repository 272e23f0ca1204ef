"""SQLite databases at their newest revision, copied: migrating each would take longer than most tests that use one.

The first of a process is made by the migrations themselves, which `tests/integration/platform/test_schemas.py` tests.
"""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate


async def open_migrated(folder: Path, name: str, scripts: Path) -> Database:
    """The database `name` in a folder that has none of this name."""
    made = _folder() / f"{name}.sqlite"
    if not made.exists():
        await _make(name, scripts)
    await asyncio.to_thread(shutil.copy, made, folder)
    return Database.open(None, folder, name)


@cache
def _folder() -> Path:
    """This process's; gone when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="gw-migrated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


async def _make(name: str, scripts: Path) -> None:
    """It is there once it is whole: closed, so that no log lies beside it."""
    part = _folder() / "part"
    database = Database.open(None, part, name)
    await migrate(database, scripts)
    await database.close()
    assert [file.name for file in part.glob(f"{name}.sqlite*")] == [f"{name}.sqlite"]
    (part / f"{name}.sqlite").rename(_folder() / f"{name}.sqlite")
