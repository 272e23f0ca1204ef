from __future__ import annotations

from typing import Any

import httpx2
import pytest
from services.gateway.tests.installation import ACTOR, OTHER, Installation
from sqlalchemy import select

from contracts.access.delegation import Delegation
from contracts.models.catalog import ModelPrice
from gateway.api.model_plane import INSIDE, INSIDE_RUN, _reach
from gateway.auth.keys import Principal
from gateway.auth.tokens import AGENTS, ANSWERS, RUNS, Audiences
from gateway.storage.tables import records
from servicekit.core.clock import ManualClock
from servicekit.sql.database import rows_of

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
ANSWER = {
    "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}


def _with(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def _token(installation: Installation, key: Principal, audiences: Audiences = ANSWERS, call: str = "call_0") -> str:
    return installation.deps.issuer.token(key, audiences, "req_0", call)


async def _exchanged(
    plane: httpx2.AsyncClient, installation: Installation, key: Principal, **more: Any
) -> httpx2.Response:
    return await plane.post("/v1/tokens", json={"grant": installation.deps.issuer.grant(key, "req_0"), **more})


async def test_a_model_call_is_charged_to_the_key_and_the_call_that_its_token_names(
    plane: httpx2.AsyncClient, installation: Installation
) -> None:
    installation.inference.answers("/v1/chat/completions", ANSWER)
    key = await installation.principal(limits={"requests_per_minute": 1})
    for _ in range(2):  # the call around it is the request
        answer = await plane.post("/v1/chat/completions", json=CHAT, headers=_with(_token(installation, key)))
        assert answer.status_code == 200, answer.text
    rows = await installation.rows()
    assert [(row["parent_id"], row["key_id"], row["prompt_tokens"]) for row in rows] == [("call_0", key.key_id, 3)] * 2


async def test_a_token_for_another_service_opens_nothing_here(
    plane: httpx2.AsyncClient, installation: Installation
) -> None:
    key = await installation.principal()
    answer = await plane.post("/v1/chat/completions", json=CHAT, headers=_with(_token(installation, key, AGENTS)))
    assert _code(answer) == (401, "invalid_delegation")


async def test_a_run_whose_key_may_read_no_documents_searches_none(
    plane: httpx2.AsyncClient, installation: Installation
) -> None:
    key = await installation.principal(scopes=["agents"])
    body = {"query": "q", "collections": ["a"]}
    answer = await plane.post("/v1/search", json=body, headers=_with(_token(installation, key, RUNS)))
    assert _code(answer) == (403, "missing_scope")
    assert installation.retriever.asked == []


@pytest.mark.parametrize(
    ("scopes", "more", "audiences"),
    [
        (["documents"], {}, {"retriever", "inference", "models"}),
        (["agents"], {"purpose": "runs"}, {"models"}),
        (["agents", "search"], {"purpose": "runs"}, {"retriever", "inference", "models"}),
        (["evaluations:write"], {"purpose": "evaluations"}, {"answers"}),
        (["evaluations:write"], {"purpose": "tuning"}, {"inference", "answers"}),
        (["evaluations:write"], {"purpose": "sweeps"}, {"collections", "models", "answers"}),
    ],
)
async def test_a_grant_is_exchanged_for_what_its_work_may_call_and_what_its_key_may_now(
    plane: httpx2.AsyncClient, installation: Installation, scopes: list[str], more: dict[str, str], audiences: set[str]
) -> None:
    key = await installation.principal(scopes=scopes)
    fresh = (await _exchanged(plane, installation, key, call_id="run_1", **more)).json()
    claims = installation.verifier.verify(fresh["token"], min(audiences))  # type: ignore[arg-type]
    assert (set(claims.audiences), claims.call_id, claims.key_id) == (audiences, "run_1", key.key_id)
    assert (fresh["scopes"], fresh["expires_in"]) == (sorted(scopes), 300)


async def test_work_ends_with_its_key(plane: httpx2.AsyncClient, installation: Installation) -> None:
    key = await installation.principal()
    await installation.deps.keys.revoke_key(key.key_id, ACTOR)
    assert _code(await _exchanged(plane, installation, key)) == (403, "key_revoked")
    call = await plane.post("/v1/chat/completions", json=CHAT, headers=_with(_token(installation, key)))
    assert _code(call) == (403, "key_revoked")
    grant = installation.deps.issuer.grant(key, "req_0")
    spent = await plane.post("/v1/spent", json={"grant": grant, "call_id": "run_1"})
    assert spent.json() == {
        "prompt_tokens": 0, "completion_tokens": 0, "embedding_tokens": 0, "model_calls": 0, "cost_nano_usd": 0,
        "records": False,
    }  # fmt: skip


async def test_what_a_job_has_learnt_is_charged_once_also_when_its_key_is_revoked(
    plane: httpx2.AsyncClient, installation: Installation
) -> None:
    price = ModelPrice(prompt_usd_per_million=5, training_usd_per_million=3)
    installation.offer(OTHER.model_copy(update={"id": "m", "price": price}), OTHER)
    key = await installation.principal()
    learnt = {"grant": installation.deps.issuer.grant(key, "req_0"), "job": "ftjob_1", "model": "m", "tokens": 2000}
    await installation.deps.keys.revoke_key(key.key_id, ACTOR)
    for _ in range(2):
        told = await plane.post("/v1/learnt", json=learnt)
        assert told.status_code == 204, told.text
    free = await plane.post("/v1/learnt", json={**learnt, "job": "ftjob_2", "model": "o"})
    assert free.status_code == 204
    gone = await plane.post("/v1/learnt", json={**learnt, "job": "ftjob_3", "model": "removed"})
    assert gone.status_code == 204
    rows = {row["id"]: row for row in await installation.rows()}
    assert [(name, row["route"], row["prompt_tokens"], row["cost_nano_usd"]) for name, row in rows.items()] == [
        ("ftjob_1", "tuning", 2000, 6_000_000),
        ("ftjob_2", "tuning", 2000, 0),
        ("ftjob_3", "tuning", 2000, None),
    ]
    assert {(row["key_id"], row["tenant"], row["request_id"]) for row in rows.values()} == {
        (key.key_id, key.tenant, "req_0")
    }
    bad = await plane.post("/v1/learnt", json={**learnt, "grant": "x"})
    assert bad.status_code == 401


async def test_what_a_job_has_learnt_is_charged_once_its_grant_has_expired_too_and_is_nobodys_part(
    plane: httpx2.AsyncClient, installation: Installation, clock: ManualClock
) -> None:
    installation.offer(OTHER)
    key = await installation.principal()
    learnt = {"grant": installation.deps.issuer.grant(key, "req_0"), "job": "ftjob_1", "model": "o", "tokens": 2000}
    clock.advance(8 * 86_400)
    assert _code(await plane.post("/v1/tokens", json={"grant": learnt["grant"]})) == (401, "invalid_delegation")
    told = await plane.post("/v1/learnt", json=learnt)
    assert told.status_code == 204, told.text
    young = installation.deps.issuer.grant(key, "req_1")
    spent = (await plane.post("/v1/spent", json={"grant": young, "call_id": "ftjob_1"})).json()
    assert (spent["prompt_tokens"], spent["model_calls"]) == (0, 0)
    (row,) = await installation.rows()
    assert (row["id"], row["parent_id"], row["prompt_tokens"]) == ("ftjob_1", None, 2000)


@pytest.mark.parametrize(("mode", "granted", "written"), [("full", True, 1), ("off", True, 0), ("full", False, 0)])
async def test_a_run_that_has_ended_is_on_record_where_its_grant_and_its_key_say_so(
    plane: httpx2.AsyncClient, installation: Installation, mode: str, granted: bool, written: int
) -> None:
    key = await installation.principal(scopes=["agents"], records=mode)
    grant = installation.deps.issuer.grant(key, "req_0", records=granted)
    asked = await plane.post("/v1/spent", json={"grant": grant, "call_id": "run_1"})
    assert asked.json()["records"] is granted
    run = {"id": "run_1", "thread_id": "t", "agent": "helper", "agent_version": 2, "status": "completed"}
    run |= {"input": "Why?", "output": "Because.", "created_at": "2026-01-02T00:00:00Z"}
    for _ in range(2):  # told again, it is written once
        told = await plane.post("/v1/runs/ended", json={"grant": grant, "run": run})
        assert told.status_code == 204, told.text
    await installation.deps.recorder.all_written()
    found = await installation.deps.database.read(rows_of(select(records)))
    assert [(row["id"], row["tenant"], row["answer"]) for row in found] == [("run_1", key.tenant, "Because.")] * written


async def test_a_run_needs_a_key_for_agents(plane: httpx2.AsyncClient, installation: Installation) -> None:
    key = await installation.principal(scopes=["chat"])
    assert _code(await _exchanged(plane, installation, key, purpose="runs")) == (403, "missing_scope")


async def test_nothing_more_is_embedded_with_a_spent_budget(
    plane: httpx2.AsyncClient, installation: Installation
) -> None:
    key = await installation.principal(budgets=[{"window": "day", "usd": "0"}])
    assert _code(await _exchanged(plane, installation, key, spends=True)) == (429, "key_day_budget")
    assert (await _exchanged(plane, installation, key)).status_code == 200


async def test_a_token_is_no_grant(plane: httpx2.AsyncClient, installation: Installation) -> None:
    key = await installation.principal()
    answer = await plane.post("/v1/tokens", json={"grant": _token(installation, key)})
    assert _code(answer) == (401, "invalid_delegation")


async def test_only_an_administrators_grant_is_good_for_another_tenant(
    plane: httpx2.AsyncClient, installation: Installation
) -> None:
    issuer = installation.deps.issuer
    for scopes, status in (["admin"], 200), (["documents"], 403):
        key = await installation.principal(tenant="operators", scopes=scopes)
        answer = await plane.post("/v1/tokens", json={"grant": issuer.deletion_grant(key, "acme", "req_0")})
        assert answer.status_code == status
        if status == 200:
            claims = installation.verifier.verify(answer.json()["token"], "retriever")
            assert (claims.tenant, claims.scopes) == ("acme", ("admin",))


async def test_a_tenant_is_purged_by_a_token_that_is_made_for_it_alone(
    plane: httpx2.AsyncClient, installation: Installation
) -> None:
    admin = await installation.principal(tenant="operators", scopes=["admin"])
    token = installation.deps.issuer.deletion_token(admin, "acme", "req_0")
    other = await plane.post("/v1/tenants/other/purge", headers=_with(token))
    assert _code(other) == (403, "installation_only")
    assert (await plane.post("/v1/tenants/acme/purge", headers=_with(token))).status_code == 204


@pytest.mark.parametrize(("audiences", "reach"), [(ANSWERS, INSIDE), (RUNS, INSIDE_RUN)])
def test_what_a_run_asks_is_screened_as_if_it_were_a_clients(audiences: Audiences, reach: object) -> None:
    claims = Delegation(audiences=audiences, tenant="acme", key_id="k1", request_id="r")
    assert _reach(claims) == reach
