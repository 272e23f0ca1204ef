from __future__ import annotations

from gateway.auth.restore_epoch import begin_epoch, restore_epoch
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


async def test_there_is_no_epoch_before_the_first_restore_and_another_after_each(
    database: Database, clock: ManualClock
) -> None:
    epochs = [await restore_epoch(database)]
    for former in ("one key", "another"):
        async with database.write() as connection:
            await begin_epoch(connection, former, clock)
        epochs.append(await restore_epoch(database))
    assert epochs[0] == ""
    assert len(set(epochs)) == 3
