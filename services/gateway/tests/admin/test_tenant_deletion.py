from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from services.gateway.tests.installation import Installation
from sqlalchemy import insert, select

from contracts.access.tenancy import TenantDeletion
from contracts.documents.jobs import Job
from gateway.admin import tenant_deletion
from gateway.admin.tenant_deletion import RedisNeeded, begin, digest, end
from gateway.auth.errors import KeyRevoked, TenantInUse, TenantNotFound
from gateway.auth.keys import Principal
from gateway.limits.limiter import Gate, LimiterUnavailable
from gateway.storage.audit_log import Actor, note
from gateway.storage.tables import audit, metadata, reservations, tenants, usage
from gateway.usage.records import GONE, ReservationRecord, UsageRecord
from servicekit.core.errors import NotReady

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ADMIN = Principal("key_admin", "operators", frozenset({"admin"}))
PURGE = "/v1/tenants/acme/purge"
JOB = Job(
    id="j1", kind="tenant_deletion", document_id="", collection="", status="queued", stage="queued", created_at=NOW
)


def _known(name: str, tenant: str) -> dict[str, Any]:
    return {
        "id": name, "parent_id": None, "request_id": "r", "key_id": f"key_{tenant}", "tenant": tenant, "route": "chat",
        "model": f"rag:{tenant}-secrets", "attempt": 1, "prompt_tokens": 7, "completion_tokens": 2,
        "embedding_tokens": 0, "cost_nano_usd": 10, "started_at": NOW,
    }  # fmt: skip


class Deletion:
    """A tenant that was used, and one that stays."""

    def __init__(self, installation: Installation) -> None:
        self.deps, self.agent, self.ingest = installation.deps, installation.agent, installation.ingest
        self.installation = installation
        for peer in (self.agent, installation.lab, installation.inference):
            peer.answers(PURGE, b"")

    async def use(self, *names: str) -> None:
        ended = {"status": 200, "error_type": None, "streamed": False, "ms": 5}
        async with self.deps.database.write() as connection:
            for number, name in enumerate(names):
                row = UsageRecord(**{**_known(f"c{number}", name), **ended}).row()
                held = ReservationRecord(**_known(f"h{number}", name)).row()
                await connection.execute(insert(usage), [row])
                await connection.execute(insert(reservations), [{**held, "owner": "x", "expires_at": NOW}])

    async def begun(self) -> None:
        async with self.deps.database.write() as connection:
            await connection.execute(tenants.update().where(tenants.c.name == "acme").values(deleting=True))

    async def tables_naming(self, word: str) -> set[str]:
        found = set()
        async with self.deps.database.read() as connection:
            for table in metadata.sorted_tables:
                found |= {table.name for row in await connection.execute(select(table)) if word in str(row)}
        return found


@pytest.fixture
async def deletion(installation: Installation) -> Deletion:
    deletion = Deletion(installation)
    await installation.principal(tenant="acme")
    await installation.principal(tenant="stays")
    return deletion


async def test_an_administrator_does_not_delete_the_own_tenant_and_nobody_one_that_is_not_there(
    deletion: Deletion,
) -> None:
    with pytest.raises(TenantInUse):
        await begin(deletion.deps, "operators", ADMIN, "req_1")
    with pytest.raises(TenantNotFound):
        await begin(deletion.deps, "nobody", ADMIN, "req_1")
    assert deletion.ingest.asked == []


async def test_keys_stop_at_once_and_ingest_is_told_their_ids_with_a_grant_for_this_tenant(
    deletion: Deletion, installation: Installation
) -> None:
    secret = await installation.secret(tenant="acme")
    await deletion.deps.authenticator.identify(f"Bearer {secret}")
    deletion.ingest.answers("/v1/tenants/acme/deletion", TenantDeletion(job=JOB))
    assert (await begin(deletion.deps, "acme", ADMIN, "req_1")).job.id == "j1"
    with pytest.raises(KeyRevoked):
        await deletion.deps.authenticator.identify(f"Bearer {secret}")
    (asked,) = deletion.ingest.asked
    assert len(asked.json["key_ids"]) == 2
    grant = installation.verifier.verify(asked.headers["Groundwork-Grant"], "grants")
    assert (grant.tenant, grant.key_id, grant.scopes) == ("acme", "key_admin", ("admin",))


async def test_what_is_left_of_a_tenant_names_nobody_and_another_tenants_is_as_it_was(deletion: Deletion) -> None:
    await deletion.use("acme", "stays")
    await deletion.begun()
    stays = await deletion.tables_naming("stays")
    await end(deletion.deps, "acme", ADMIN, "req_1")
    assert await deletion.tables_naming("acme") == set()
    assert await deletion.tables_naming("stays") == stays >= {"usage", "reservations", "keys", "tenants", "audit"}
    async with deletion.deps.database.read() as connection:
        rows = (await connection.execute(select(usage).where(usage.c.tenant == GONE))).mappings().all()
        (noted,) = (await connection.execute(select(audit).where(audit.c.action == "tenant.deleted"))).mappings()
    assert [(row["cost_nano_usd"], row["key_id"], row["model"]) for row in rows] == [(10, GONE, f"rag:{GONE}")]
    assert (noted["subject"], noted["actor_key_id"]) == (digest("acme"), "key_admin")


async def test_neither_the_ledger_nor_the_audit_log_goes_on_naming_its_tuned_models(deletion: Deletion) -> None:
    async with deletion.deps.database.write() as connection:
        for number, tenant in enumerate(("acme", "stays")):
            model = f"words+{tenant}.triage"
            known = {**_known(f"c{number}", tenant), "model": model}
            row = UsageRecord(**known, status=200, error_type=None, streamed=False, ms=1).row()
            await connection.execute(insert(usage), [row])
            for subject, detail in ((model, {}), ("split", {"targets": [{"model": model}]})):
                await note(connection, NOW, Actor("key_admin", None), "model.removed", subject, detail)
    await deletion.begun()
    stays = await deletion.tables_naming("stays")
    await end(deletion.deps, "acme", ADMIN, "req_1")
    assert await deletion.tables_naming("acme") == set()
    async with deletion.deps.database.read() as connection:
        models = set((await connection.execute(select(usage.c.model))).scalars())
        kept = set((await connection.execute(select(audit.c.subject))).scalars())
    assert models == {f"words+{GONE}", "words+stays.triage"}
    assert (kept >= {"words+stays.triage", "split"}, await deletion.tables_naming("stays")) == (True, stays)


async def test_many_rows_are_made_nameless_in_steps_to_the_last(
    deletion: Deletion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_deletion, "ROWS", 2)
    for number in range(4):
        row = UsageRecord(**_known(f"c{number}", "acme"), status=200, error_type=None, streamed=False, ms=1).row()
        async with deletion.deps.database.write() as connection:
            await connection.execute(insert(usage), [row])
    await deletion.begun()
    await end(deletion.deps, "acme", ADMIN, "req_1")
    assert await deletion.tables_naming("acme") == set()


async def test_a_tenant_whose_deletion_was_not_begun_loses_nothing(deletion: Deletion) -> None:
    await deletion.use("acme")
    before = await deletion.tables_naming("acme")
    for name in ("acme", "nobody"):
        await end(deletion.deps, name, ADMIN, "req_1")
    assert await deletion.tables_naming("acme") == before
    assert deletion.agent.asked == []


async def test_its_counters_go_and_those_of_others_stay(deletion: Deletion) -> None:
    gates = [Gate("requests", "tenant", name, 5) for name in ("acme", "stays")]
    await deletion.deps.limiter.reserve("a", gates, [1, 1])
    await deletion.begun()
    await end(deletion.deps, "acme", ADMIN, "req_1")
    verdict = await deletion.deps.limiter.reserve("b", gates, [1, 1])
    assert [state.used for state in verdict.gates] == [1, 2]


async def test_while_a_part_of_it_can_not_be_removed_the_tenant_is_still_there(
    deletion: Deletion, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: object) -> None:
        raise LimiterUnavailable("connection refused")

    await deletion.begun()
    with monkeypatch.context() as patch:
        patch.setattr(deletion.deps.limiter, "delete_counters", away)
        with pytest.raises(RedisNeeded):
            await end(deletion.deps, "acme", ADMIN, "req_1")
    deletion.agent.answers(PURGE, NotReady("x"))
    with pytest.raises(NotReady):
        await end(deletion.deps, "acme", ADMIN, "req_1")
    assert "tenants" in await deletion.tables_naming("acme")
    deletion.agent.answers(PURGE, b"")
    await end(deletion.deps, "acme", ADMIN, "req_1")
    assert await deletion.tables_naming("acme") == set()
