from __future__ import annotations

import httpx2
import pytest
from cli.tests.server import Recorder, Serve, by_path, job, page, sse
from cli.tests.terminal import output, run, sentence

AT = "2026-01-01T00:00:00Z"
ACCEPTED = httpx2.Response(202, json={"job": job("queued", "queued", kind="tenant_deletion")})


def test_a_tenant_that_is_being_deleted_is_marked(serve: Serve) -> None:
    tenants = ({"name": "acme", "created_at": AT}, {"name": "old", "created_at": AT, "deleting": True})
    serve(by_path(tenants=page(*tenants)))
    assert output("tenant", "list") == "acme\nold  (being deleted)\n"


@pytest.mark.parametrize("typed", ["n\n", "\n", "nay\n"], ids=["no", "nothing", "no answer"])
def test_without_a_yes_nothing_is_deleted(serve: Serve, typed: str) -> None:
    serve(lambda request: pytest.fail(f"it asked for {request.url}"))
    done = run("tenant", "delete", "acme", typed=typed)
    assert done.exit_code == 1
    assert "Delete 'acme' with all its keys, documents, agents and threads?" in done.output


def test_a_tenant_is_gone_once_its_job_has_ended(serve: Serve) -> None:
    server = Recorder(ACCEPTED, sse(job(stage="deleting"), job("ready", "done")))
    serve(server)
    assert output("tenant", "delete", "acme", "--yes") == "'acme' is gone.\n"
    assert server.calls == ["DELETE /v1/tenants/acme", "GET /v1/jobs/job-1/events"]


def test_a_deletion_that_fails_is_told_with_its_reason(serve: Serve) -> None:
    reason = {"code": "retriever_away", "message": "The retriever is away."}
    serve(Recorder(ACCEPTED, sse(job("failed", error=reason))))
    said = sentence("tenant", "delete", "acme", "--yes")
    assert said.endswith("The retriever is away.")
    assert "is gone" not in said


def test_a_tenants_answers_are_put_on_record_for_some_days(serve: Serve) -> None:
    tenant = {"name": "acme", "created_at": AT, "records": "full", "records_days": 7}
    server = Recorder(httpx2.Response(200, json=tenant))
    serve(server)
    said = output("tenant", "change", "acme", "--records", "full", "--records-days", "7")
    assert said == "Limits of 'acme': none.\nBudgets: none.\nRecords: full, kept 7 days.\n"
    assert (server.calls, server.body()) == (["PATCH /v1/tenants/acme"], {"records": "full", "records_days": 7})
    assert "Say what is to change" in sentence("tenant", "change", "acme")


def test_a_tenant_is_made_with_limits_and_budgets_and_shown(serve: Serve) -> None:
    spec = {
        "name": "acme",
        "limits": {"requests_per_minute": 60, "concurrency": 4},
        "budgets": [{"window": "day", "usd": "2.5"}],
    }
    server = Recorder(httpx2.Response(201, json={**spec, "created_at": AT}))
    serve(server)
    given = ("--requests-per-minute", "60", "--concurrency", "4", "--usd-a-day", "2.5")
    made = output("tenant", "create", "acme", *given)
    assert made == (
        "Limits of 'acme': 60 requests a minute, 4 calls at once.\nBudgets: 2.5 USD a day.\nRecords: off.\n"
    )
    assert (server.calls, server.body()) == (["POST /v1/tenants"], spec)
    serve(by_path(acme=httpx2.Response(200, json={**spec, "created_at": AT, "deleting": True})))
    assert output("tenant", "show", "acme") == made + "It is being deleted.\n"


def test_of_a_tenants_budgets_the_one_that_is_not_given_stays(serve: Serve) -> None:
    tenant = {"name": "acme", "created_at": AT, "budgets": [{"window": "day", "usd": "1"}]}
    server = Recorder(*(httpx2.Response(200, json=tenant) for _ in range(3)))
    serve(server)
    output("tenant", "change", "acme", "--usd-a-month", "20", "--tokens-per-minute", "none")
    assert server.calls == ["GET /v1/tenants/acme", "PATCH /v1/tenants/acme"]
    budgets = [{"window": "day", "usd": "1"}, {"window": "month", "usd": "20"}]
    assert server.body() == {"limits": {"tokens_per_minute": None}, "budgets": budgets}
    assert "--usd-a-day must be" in sentence("tenant", "change", "acme", "--usd-a-day", "much")
