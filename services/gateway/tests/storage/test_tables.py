from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, select

from contracts.access.keys import KeyCreate
from gateway.auth.key_repository import key_row
from gateway.bootstrap import MIGRATIONS
from gateway.storage.tables import keys, metadata
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database
from servicekit.sql.migrations import upgrade


async def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.read() as connection:
        assert await connection.run(differences) == []


async def test_keys_keep_what_they_could_write_and_administrators_get_what_is_new(
    tmp_path: Path,
) -> None:
    wanted = {
        "admin": (["admin"], None, None),
        "plain": (["chat", "agents"], None, None),
        "no-agents": (["chat"], None, None),
        "of-collections": (["agents"], None, ["handbook"]),
        "of-models": (["agents"], ["smollm2"], None),
    }
    database = Database.open(None, tmp_path, "old")
    async with database.write() as connection:
        await connection.run(upgrade, MIGRATIONS, "0002")
        for name, (scopes, models, collections) in wanted.items():
            key = KeyCreate.model_validate(
                {"name": name, "tenant": "acme", "scopes": scopes, "models": models, "collections": collections}
            )
            row = key_row(key, name, f"gw_{name}", ManualClock())
            new = ("records", "abstain")
            was = {column: value for column, value in row.items() if not column.startswith(new)}
            await connection.execute(insert(keys).values(was))
        await connection.run(upgrade, MIGRATIONS)
        rows = (await connection.execute(select(keys.c.id, keys.c.scopes))).all()
    await database.close()
    assert {row.id: row.scopes for row in rows} == {
        "admin": [
            "admin",
            "prompts:release",
            "feedback:write",
            "feedback:review",
            "records:read",
            "records:write",
            "evaluations:read",
            "evaluations:write",
        ],
        "plain": ["chat", "agents", "agents:write"],
        "no-agents": ["chat"],
        "of-collections": ["agents"],
        "of-models": ["agents"],
    }
