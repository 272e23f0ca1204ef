from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from services.gateway.tests.callers import Caller
from services.gateway.tests.inner_services import Streamed
from services.gateway.tests.installation import EMBEDDER, Installation
from structlog.testing import capture_logs

from contracts.access.acts import ACT_HEADER, Act
from contracts.operations.agents import ADD_MESSAGES, FOLLOW_RUN, GET_RUN, SPEAK_MCP
from contracts.operations.documents import (
    CREATE_COLLECTION,
    CREATE_DOCUMENT,
    FOLLOW_JOB,
    GET_COLLECTION,
    GET_DOCUMENT_CONTENT,
    LIST_COLLECTIONS,
    RESTORE_DOCUMENT,
)
from contracts.operations.operation import Operation
from contracts.operations.prompts import MOVE_LABEL
from gateway.auth.errors import NotYours
from gateway.guardrails.errors import AnswerTooLarge
from gateway.limits.errors import BudgetExceeded
from gateway.proxy import service
from gateway.proxy.service import OriginRefused, check_origin, left_in_budgets, proxy
from gateway.storage.audit_log import list_audit_entries
from gateway.streaming.exchange import Relay
from servicekit.core.clock import ManualClock
from servicekit.core.errors import NotReady, PeerError, ServiceError
from servicekit.peers.client import PeerTimeout

SPENT = [{"window": "day", "usd": "0"}]
MASKED = {"output": {"pii": "redact"}}
LABEL = "/v1/prompts/greeting/labels/production"
MOVED = Act(action="prompt.label", subject="greeting", detail={"label": "production", "from": 1, "to": 2})


def _mover() -> Caller:
    return Caller(b'{"version": 2}').at(name="greeting", label="production")


async def _pass(installation: Installation, operation: Operation[Any], caller: Caller, **key: Any) -> None:
    await proxy(caller.exchange, installation.deps, await installation.principal(**key), operation)


def _named(*pieces: bytes, **headers: str) -> Caller:
    return Caller(*pieces, **headers).at(name="a", id="d")


async def test_a_call_goes_on_with_the_rights_of_its_key_and_what_the_service_may_see(
    installation: Installation,
) -> None:
    installation.ingest.answers("/v1/collections", {"data": []})
    caller = Caller(authorization="Bearer gw_x", if_none_match="1")
    caller.scope["query_string"] = b"limit=5&cursor=%C3%A9&debug=1"
    await _pass(installation, LIST_COLLECTIONS, caller)
    (asked,) = installation.ingest.asked
    assert asked.params == {"limit": "5", "cursor": "é"}
    assert asked.headers == {"if-none-match": "1", "accept-encoding": "identity"}
    assert installation.verifier.verify(asked.token, "ingest").tenant == "acme"
    assert (caller.status, caller.json) == (200, {"data": []})
    assert await installation.rows() == [], "what changes nothing is not recorded"


async def test_a_call_that_changes_something_is_limited_and_recorded_with_the_services_status(
    installation: Installation,
) -> None:
    installation.ingest.answers("/v1/collections", Streamed((b"{}",), 201))
    caller = Caller(b'{"name": "a"}')
    await _pass(installation, CREATE_COLLECTION, caller)
    (row,) = await installation.rows()
    assert (caller.status, row["status"], row["route"]) == (201, 201, "collections")
    assert installation.ingest.asked[0].json == {"name": "a"}


async def test_an_upload_is_streamed_on_as_it_is_with_a_grant_for_its_job(installation: Installation) -> None:
    installation.ingest.answers("/v1/collections/a/documents", {})
    await _pass(installation, CREATE_DOCUMENT, _named(b"one", b"two", content_type="text/plain", content_length="6"))
    (asked,) = installation.ingest.asked
    assert (asked.body, asked.headers["content-type"], asked.headers["content-length"]) == (
        b"onetwo",
        "text/plain",
        "6",
    )
    grant = installation.verifier.verify(asked.headers["Groundwork-Grant"], "grants")
    assert (grant.tenant, grant.key_id) == ("acme", installation.verifier.verify(asked.token, "ingest").key_id)


async def test_nothing_that_is_charged_later_is_begun_with_a_spent_budget(installation: Installation) -> None:
    with pytest.raises(BudgetExceeded):
        await _pass(installation, CREATE_DOCUMENT, _named(b"one"), budgets=SPENT)
    assert installation.ingest.asked == []
    installation.ingest.answers("/v1/collections", {})
    await _pass(installation, CREATE_COLLECTION, Caller(b"{}"), budgets=SPENT)


async def test_what_is_left_in_budgets_is_asked_for_with_the_least_that_there_is(
    installation: Installation, clock: ManualClock
) -> None:
    assert (await left_in_budgets(installation.deps, "acme")).cost == 1
    installation.offer(EMBEDDER.model_copy(update={"price": None}))
    clock.advance(60)
    assert (await left_in_budgets(installation.deps, "acme")).cost is None


@pytest.mark.parametrize(
    ("answer", "ended"),
    [
        (Streamed((b"{}",), 202), True),
        (PeerError(409, NotReady("x").body(None)), False),
        (PeerError(500, NotReady("x").body(None)), True),
        (PeerTimeout("ingest"), True),
    ],
    ids=["done", "refused", "failed", "not-known"],
)
async def test_bringing_an_earlier_state_back_ends_the_tenants_cached_answers_unless_it_was_refused(
    installation: Installation, answer: Any, ended: bool
) -> None:
    store = installation.deps.answer_cache._store
    before = await store.get("x", "acme")
    installation.ingest.answers("/v1/collections/a/documents:restore", answer)
    with contextlib.suppress(ServiceError):
        await _pass(installation, RESTORE_DOCUMENT, _named(b"zip"))
    assert (await store.get("x", "acme") != before) is ended


async def test_bytes_of_others_are_not_taken_for_a_page_and_only_known_headers_come_back(
    installation: Installation,
) -> None:
    page = Streamed((b"<html>",), headers={"content-type": "text/html", "server": "x", "set-cookie": "a=b"})
    installation.ingest.answers("/v1/collections/a/documents/d/content", page)
    caller = _named()
    await _pass(installation, GET_DOCUMENT_CONTENT, caller)
    assert caller.headers == {"content-type": "text/html", "x-content-type-options": "nosniff"}


async def test_a_value_that_nothing_can_be_called_is_no_path(installation: Installation) -> None:
    with pytest.raises(NotYours):
        await _pass(installation, GET_COLLECTION, Caller().at(name="../x"))
    assert installation.ingest.asked == []


async def test_a_run_and_its_events_are_kept_without_a_host_and_link_to_the_one_that_the_caller_used(
    installation: Installation,
) -> None:
    path, place = "/v1/collections/a/documents/d/content", {"id": "t", "run": "r"}
    cited = json.dumps({"output": {"url": path}}).encode()
    installation.agent.answers("/v1/threads/t/runs/r", Streamed((cited,)))
    events = Streamed((b"data: " + cited[:30], cited[30:] + b"\n\n"), headers={"content-type": "text/event-stream"})
    installation.agent.answers("/v1/threads/t/runs/r/events", events)
    for operation in (GET_RUN, FOLLOW_RUN):
        caller = Caller(host="docs.example").at(**place)
        await _pass(installation, operation, caller)
        assert f'"http://docs.example{path}"'.encode() in b"".join(caller.pieces)


async def test_what_a_client_adds_to_a_thread_is_kept_without_the_host_that_it_used(installation: Installation) -> None:
    path = "/v1/collections/a/documents/d/content"
    installation.agent.answers("/v1/threads/t/messages", {"id": "t"})
    cited = [{"url_citation": {"url": f"http://docs.example{path}"}}]
    said = {"role": "assistant", "content": "Yes.", "annotations": cited}
    await _pass(installation, ADD_MESSAGES, Caller.of({"messages": [said]}, host="docs.example").at(id="t"))
    kept = installation.agent.asked[-1].body
    assert json.loads(kept)["messages"][0]["annotations"][0]["url_citation"]["url"] == path


async def test_events_that_break_off_end_with_an_event_that_says_so(installation: Installation) -> None:
    events = Streamed((b"data: 1\n\n", NotReady("gone")), headers={"content-type": "text/event-stream"})
    installation.ingest.answers("/v1/jobs/d/events", events)
    caller = _named()
    await _pass(installation, FOLLOW_JOB, caller)
    assert caller.pieces[0] == b"data: 1\n\n"
    assert caller.pieces[1].startswith(b"event: error")
    assert (caller.has_end, caller.headers["cache-control"]) == (True, "no-store")
    assert not installation.deps.streams._open


async def test_an_answer_that_breaks_off_is_no_whole_one(installation: Installation) -> None:
    installation.ingest.answers("/v1/collections/a", Streamed((b"{", NotReady("gone"))))
    caller = _named()
    with pytest.raises(NotReady):
        await _pass(installation, GET_COLLECTION, caller)
    assert not caller.has_end


async def test_a_protocols_own_error_passes_as_it_is(installation: Installation) -> None:
    installation.agent.answers("/mcp", Streamed((b'{"jsonrpc": "2.0"}',), 400, {"content-type": "application/json"}))
    caller = Caller(b"{}")
    await _pass(installation, SPEAK_MCP, caller)
    assert (caller.status, caller.pieces) == (400, [b'{"jsonrpc": "2.0"}'])
    installation.ingest.answers("/v1/collections/a", PeerError(400, NotReady("x").body(None)))
    with pytest.raises(PeerError):
        await _pass(installation, GET_COLLECTION, _named())


async def test_an_answer_of_what_a_model_says_is_looked_at_before_it_goes_out(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = b'{"result": "write to jane@example.org"}'
    headers = {"content-type": "application/json", "content-length": str(len(answer))}
    installation.agent.answers("/mcp", Streamed((answer[:9], answer[9:]), headers=headers))
    caller = Caller(b"{}")
    await _pass(installation, SPEAK_MCP, caller, guardrails=MASKED)
    assert caller.json == {"result": f"write to {'*' * len('jane@example.org')}"}
    assert int(caller.headers["content-length"]) == len(b"".join(caller.pieces))
    assert caller.headers["x-groundwork-guardrails"] == "output.pii=redact:1"
    monkeypatch.setattr(service, "MOST_SCREENED_BYTES", 9)
    with pytest.raises(AnswerTooLarge):
        await _pass(installation, SPEAK_MCP, Caller(b"{}"), guardrails=MASKED)


async def _acts(installation: Installation, subject: str) -> list[Any]:
    entries = (await list_audit_entries(installation.deps.database, 50, None, subject)).data
    return [one for one in entries if one.action == "prompt.label"]


async def test_what_a_service_did_for_a_key_is_in_the_audit_log_and_not_in_the_answer(
    installation: Installation,
) -> None:
    installation.agent.answers(LABEL, Streamed((b"{}",), headers=MOVED.header()))
    caller = _mover()
    await _pass(installation, MOVE_LABEL, caller)
    assert (caller.json, ACT_HEADER.lower() in caller.headers) == ({}, False)
    (entry,) = await _acts(installation, "greeting")
    asked = installation.verifier.verify(installation.agent.asked[0].token, "agent")
    assert entry.actor_key_id == asked.key_id
    assert entry.detail == {"tenant": "acme", "label": "production", "from": 1, "to": 2}


async def test_what_a_service_did_is_in_the_audit_log_and_ends_cached_answers_though_the_caller_has_left(
    installation: Installation,
) -> None:
    deps, store, caller = installation.deps, installation.deps.answer_cache._store, _mover()
    before = await store.get("x", "acme")
    installation.agent.answers(LABEL, Streamed((b"{}",), headers=MOVED.header()))
    installation.agent.may_answer.clear()
    key = await installation.principal()
    answering = asyncio.create_task(Relay(lambda it: proxy(it, deps, key, MOVE_LABEL))(*caller.connection))
    await installation.agent.was_asked.wait()
    caller.left.set()
    await answering
    assert (caller.status, await _acts(installation, "greeting")) == (499, [])
    installation.agent.may_answer.set()
    await deps.meter.wait_until_idle()
    assert [entry.actor_key_id for entry in await _acts(installation, "greeting")] == [key.key_id]
    assert await store.get("x", "acme") != before
    assert not deps.finishing


async def test_what_could_not_be_finished_for_a_caller_that_has_left_is_said(
    installation: Installation,
) -> None:
    deps, caller = installation.deps, _mover()
    installation.agent.answers(LABEL, NotReady("The database is away."))
    installation.agent.may_answer.clear()
    key = await installation.principal()
    answering = asyncio.create_task(Relay(lambda it: proxy(it, deps, key, MOVE_LABEL))(*caller.connection))
    await installation.agent.was_asked.wait()
    caller.left.set()
    await answering
    with capture_logs() as logs:
        installation.agent.may_answer.set()
        await deps.meter.wait_until_idle()
        await asyncio.sleep(0)
    assert [one["event"] for one in logs if one["log_level"] == "error"] == ["not finished, and its caller has left"]


@pytest.mark.parametrize(
    ("answer", "ended", "acts"),
    [
        (PeerError(404, NotReady("x").body(None)), False, 0),
        (PeerTimeout("agent"), True, 0),
        (Streamed((b"{", NotReady("gone")), headers=MOVED.header()), True, 1),
    ],
    ids=["refused", "not-known", "done-and-broken-off"],
)
async def test_a_move_whose_end_nobody_knows_ends_cached_answers_and_one_that_was_refused_does_not(
    installation: Installation, answer: Any, ended: bool, acts: int
) -> None:
    store = installation.deps.answer_cache._store
    before = await store.get("x", "acme")
    installation.agent.answers(LABEL, answer)
    with pytest.raises(ServiceError):
        await _pass(installation, MOVE_LABEL, _mover())
    assert (await store.get("x", "acme") != before) is ended
    assert len(await _acts(installation, "greeting")) == acts


@pytest.mark.parametrize(
    ("host", "origin", "passes"),
    [
        ("gateway.example.org", None, True),
        ("127.0.0.1:8080", "http://127.0.0.1:8080", True),
        ("[::1]:8080", "https://[::1]:8080", True),
        ("localhost", "http://localhost", True),
        ("127.0.0.1:8080", "http://127.0.0.1:9090", False),
        ("evil.example.org", "http://evil.example.org", False),
        ("gateway.example.org", "https://tool.example.org", True),
        ("gateway.example.org", "https://tool.example.org.evil.org", False),
        ("gateway.example.org", "null", False),
        ("[::1", "http://[::1", False),
    ],
)
def test_only_pages_of_the_gateways_own_address_and_of_origins_that_are_named_may_call(
    host: str, origin: str | None, passes: bool
) -> None:
    exchange = Caller(host=host, **({"origin": origin} if origin else {})).exchange
    if passes:
        check_origin(exchange, ",https://tool.example.org/")
    else:
        with pytest.raises(OriginRefused):
            check_origin(exchange, ",https://tool.example.org/")
    check_origin(exchange, "*")
