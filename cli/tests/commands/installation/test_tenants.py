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
    assert said == "Records of 'acme': full, kept 7 days.\n"
    assert (server.calls, server.body()) == (["PATCH /v1/tenants/acme"], {"records": "full", "records_days": 7})
    assert "Say what is to change" in sentence("tenant", "change", "acme")
