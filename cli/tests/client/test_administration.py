from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from cli.tests.server import Recorder, client_of, job, key
from pydantic import ValidationError

from contracts.access.keys import KeyPatch, Limits
from groundwork.client import ApiError, NoSuchName


def usage_page(group: str, cursor: str | None) -> httpx2.Response:
    counts = ("requests", "prompt_tokens", "completion_tokens", "embedding_tokens", "cached_tokens", "reasoning_tokens")
    more = ("unpriced_requests", "estimated_requests", "cache_hits", "errors")
    row: dict[str, Any] = {"group": group, "cost_usd": None, **dict.fromkeys(counts + more, 1)}
    return httpx2.Response(200, json={"data": [row], "next_cursor": cursor})


def test_a_new_key_is_asked_for_with_what_was_said_and_nothing_else() -> None:
    server = Recorder(httpx2.Response(201, json=key(secret="gw_secret")))
    assert client_of(server).keys.create("n", tenant="t", limits=Limits(concurrency=2)).secret == "gw_secret"
    said = {"name": "n", "tenant": "t", "limits": {"concurrency": 2}, "budgets": []}
    assert server.body() == {**said, "scopes": ["chat", "documents", "search"]}


def test_a_key_for_no_model_is_not_one_for_all() -> None:
    server = Recorder(httpx2.Response(201, json=key(secret="s")))
    client_of(server).keys.create("n", tenant="t", models=[], collections=[])
    assert (server.body()["models"], server.body()["collections"]) == ([], [])


def test_a_key_without_scopes_is_refused_before_anything_is_sent() -> None:
    server = Recorder()
    with pytest.raises(ValidationError, match="scopes"):
        client_of(server).keys.create("n", tenant="t", scopes=())
    assert server.calls == []


def test_a_change_sends_what_was_set_and_null_where_a_limit_is_lifted() -> None:
    server = Recorder(httpx2.Response(200, json=key()))
    client_of(server).keys.change("key_1", KeyPatch(limits=Limits(tokens_per_minute=None)))
    assert server.calls == ["PATCH /v1/keys/key_1"]
    assert server.body() == {"limits": {"tokens_per_minute": None}}


def test_a_key_is_rotated_with_the_overlap_wanted_and_revoked_by_its_id() -> None:
    server = Recorder(httpx2.Response(200, json=key(secret="new")), httpx2.Response(204))
    with client_of(server) as client:
        assert client.keys.rotate("key_1", 0).secret == "new"
        client.keys.revoke("key_1")
    assert server.calls == ["POST /v1/keys/key_1/rotate", "DELETE /v1/keys/key_1"]
    assert server.body(0) == {"overlap_seconds": 0}


def test_usage_of_all_pages_comes_in_order_and_times_keep_their_zone() -> None:
    server = Recorder(usage_page("a", "next"), usage_page("b", None))
    since = datetime(2026, 1, 2, tzinfo=UTC)
    assert [row.group for row in client_of(server).usage(group_by="day", since=since)] == ["a", "b"]
    first, second = (request.url.params for request in server.asked)
    assert (first["group_by"], first["from"], second["cursor"]) == ("day", "2026-01-02T00:00:00+00:00", "next")
    assert "to" not in first
    assert second["from"] == first["from"]


def test_a_tenants_deletion_is_a_job_and_its_name_can_not_leave_its_place_in_the_path() -> None:
    server = Recorder(httpx2.Response(202, json={"job": job(id="job-7")}))
    with client_of(server) as client:
        assert client.tenants.delete("acme").id == "job-7"
        with pytest.raises(NoSuchName, match="There is no tenant"):
            client.tenants.delete("../keys/key_1")
    assert server.calls == ["DELETE /v1/tenants/acme"]


def test_an_experiment_is_asked_for_without_a_version_where_none_is_named() -> None:
    server = Recorder(httpx2.Response(404, json={"error": {"code": "experiment_not_found", "message": "None."}}))
    with client_of(server) as client, pytest.raises(ApiError):
        client.routes.experiment("smart")
    assert server.asked[0].url.query == b""
