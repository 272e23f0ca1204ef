from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from inference.bootstrap import MIGRATIONS
from inference.pulls.service import Pulls
from inference.pulls.tables import PULL_JOBS
from servicekit.core.clock import SystemClock
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.notifier import LocalNotifier
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate


async def test_a_row_that_the_table_never_takes_ends_the_call(tmp_path: Path) -> None:
    database = Database.open(None, tmp_path, "inference")
    await migrate(database, MIGRATIONS)
    unused: Any = None
    pulls = Pulls(JobStore(database, PULL_JOBS, SystemClock(), 30, LocalNotifier()), unused, unused)
    try:
        with pytest.raises(IntegrityError):
            await pulls._insert({"id": "pull_1", "model": "far"}, {})
    finally:
        await database.close()
