from __future__ import annotations

import httpx2
import pytest
from services.agent.tests.api.client import Api, error
from services.agent.tests.conftest import delegation

from agent.api.access import call_key, principal, viewer
from agent.errors import GrantMissing
from servicekit.auth.delegation import Caller
from servicekit.web.idempotency import InvalidIdempotencyKey

CALLER = Caller(delegation(), "token")


async def test_only_a_token_for_this_service_gets_in(api: Api) -> None:
    assert error(await api.client.get("/v1/agents")) == (401, "invalid_delegation")
    others = api.headers(audience="retriever")
    assert error(await api.client.get("/v1/agents", headers=others)) == (401, "invalid_delegation")


@pytest.mark.parametrize(
    ("method", "path", "scope", "status"),
    [
        ("GET", "/v1/agents", "agents", 200),
        ("GET", "/v1/agents", "agents:write", 200),
        ("GET", "/v1/agents", "chat", 403),
        ("DELETE", "/v1/agents/none", "agents:write", 404),
        ("DELETE", "/v1/agents/none", "agents", 403),
        ("GET", "/v1/threads", "agents", 200),
        ("GET", "/v1/threads", "agents:write", 403),
        ("GET", "/v1/threads/none/runs", "agents", 404),
        ("GET", "/v1/threads/none/runs", "admin", 403),
        ("GET", "/v1/backup", "admin", 403),
    ],
)
async def test_running_agents_and_making_them_are_two_rights(
    api: Api, method: str, path: str, scope: str, status: int
) -> None:
    assert (await api.call(method, path, scopes=(scope,))).status_code == status


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=many", "cursor=" + "a" * 501])
async def test_a_page_has_a_size_that_makes_sense(api: Api, query: str) -> None:
    for path in ("/v1/agents", "/v1/threads"):
        assert error(await api.call("GET", f"{path}?{query}")) == (422, "invalid_body")


async def test_a_cursor_of_no_page_is_refused(api: Api) -> None:
    answers: list[httpx2.Response] = [
        await api.call("GET", f"{path}?cursor=bm8") for path in ("/v1/agents", "/v1/threads")
    ]
    assert list(map(error, answers)) == [(400, "invalid_cursor")] * 2


def test_a_call_without_a_key_is_made_each_time_and_one_with_a_bad_key_never() -> None:
    assert call_key(CALLER, "POST /v1/threads", None) is None
    named = call_key(CALLER, "POST /v1/threads", "a")
    assert (named and named.key_id, named and named.route) == ("key_1", "POST /v1/threads")
    for key in ("", "a\n", "ä", "x" * 201):
        with pytest.raises(InvalidIdempotencyKey):
            call_key(CALLER, "POST /v1/threads", key)


def test_work_that_goes_on_after_its_call_needs_a_grant() -> None:
    for grant in (None, ""):
        with pytest.raises(GrantMissing):
            principal(CALLER, grant)
    owner = principal(CALLER, "grant")
    assert (owner.tenant, owner.key_id) == ("acme", "key_1")


def test_a_key_with_a_list_sees_what_it_made_itself_even_if_the_list_is_empty() -> None:
    assert not viewer(CALLER).limited
    for limits in ({"collections": ("handbook",)}, {"collections": ()}, {"models": ()}):
        assert viewer(Caller(CALLER.delegation.model_copy(update=limits), "token")).limited
