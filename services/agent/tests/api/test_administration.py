from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from services.agent.tests.api.client import Api, error

from agent.bootstrap import MIGRATIONS
from contracts.access.delegation import INSTALLATION_TENANT
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

PURGE = "/v1/tenants/acme/purge"
INSTALLATION: dict[str, Any] = {"tenant": INSTALLATION_TENANT, "scopes": ("admin",)}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """One that a backup can be made of: with the revision of its schema."""
    database = Database.open(None, tmp_path, "agent")
    await migrate(database, MIGRATIONS)
    yield database
    await database.close()


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({}, "missing_scope"),
        ({"scopes": ("agents", "agents:write")}, "missing_scope"),
        ({"scopes": ("admin",), "tenant": "other"}, "installation_only"),
        (INSTALLATION, "installation_only"),
    ],
)
async def test_a_tenant_s_rows_go_only_by_its_own_administrator_s_word(
    api: Api, claims: dict[str, Any], code: str
) -> None:
    thread = await api.thread()
    assert error(await api.call("POST", PURGE, {"key_ids": ["key_1"]}, **claims)) == (403, code)
    assert (await api.call("GET", f"/v1/threads/{thread}")).status_code == 200


async def test_a_deleted_tenant_has_nothing_left_here_and_others_keep_theirs(api: Api) -> None:
    threads = {tenant: await api.thread(tenant=tenant) for tenant in ("acme", "other")}
    for _ in range(2):  # the job that asks for it may ask again
        gone = await api.call("POST", PURGE, {"key_ids": ["key_1"]}, scopes=("admin",))
        assert (gone.status_code, gone.content) == (204, b"")
    found = [(await api.call("GET", "/v1/threads", tenant=tenant)).json()["data"] for tenant in threads]
    assert [[one["id"] for one in page] for page in found] == [[], [threads["other"]]]


async def test_a_deletion_names_a_tenant_and_its_keys(api: Api) -> None:
    for path, body in ((PURGE, {}), (PURGE, {"key_ids": [], "all": True}), ("/v1/tenants/-/purge", {"key_ids": []})):
        assert error(await api.call("POST", path, body, scopes=("admin",))) == (422, "invalid_body")


async def test_a_backup_is_for_the_installation_alone_and_holds_every_tenant(api: Api) -> None:
    threads = [await api.thread(tenant=tenant) for tenant in ("acme", "other")]
    for claims in ({"scopes": ("admin",)}, {"tenant": INSTALLATION_TENANT}):
        assert error(await api.call("GET", "/v1/backup", **claims)) == (403, "installation_only")
    answer = await api.call("GET", "/v1/backup", **INSTALLATION)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-tar")
    with tarfile.open(fileobj=io.BytesIO(answer.content + bytes(1024))) as tar:
        names = tar.getnames()
        rows = tar.extractfile("agent/sql/threads/000000.jsonl")
        assert rows is not None
        kept = rows.read().decode()
    assert (names[0], names[-1]) == ("agent/facts.json", "agent/end.json")
    assert all(thread in kept for thread in threads)
