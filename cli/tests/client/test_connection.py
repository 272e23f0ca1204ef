from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from cli.tests.server import Recorder, client_of, error

from groundwork.client import ApiError, Groundwork, NoSuchName, UnexpectedAnswer, Unreachable


def test_an_envelope_becomes_an_error_with_all_its_facts() -> None:
    refusal = error(429, "too_many", "Slow down.", **{"Retry-After": "7"})
    with client_of(lambda _: refusal) as client, pytest.raises(ApiError, match="Slow down") as caught:
        client.models()
    assert (caught.value.status, caught.value.type, caught.value.code) == (429, "rate_limited", "too_many")
    assert (caught.value.request_id, caught.value.retry_after) == ("req-1", 7.0)


@pytest.mark.parametrize(("status", "kind"), [(401, "authentication"), (404, "not_found"), (502, "internal")])
def test_an_error_from_something_else_than_groundwork_is_still_an_api_error(status: int, kind: str) -> None:
    page = httpx2.Response(status, text="<html>nginx</html>")
    with client_of(lambda _: page) as client, pytest.raises(ApiError, match="Is it Groundwork") as caught:
        client.models()
    assert (caught.value.type, caught.value.code) == (kind, f"http_{status}")


def test_no_listener_says_how_to_start_one() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    with client_of(refuse) as client, pytest.raises(Unreachable, match="groundwork up"):
        client.models()


def test_a_timeout_says_what_to_do() -> None:
    def hang(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadTimeout("slow", request=request)

    with client_of(hang) as client, pytest.raises(Unreachable, match="did not answer in time"):
        client.search("c", "q")


def test_an_answer_that_breaks_the_contract_is_named_as_such() -> None:
    other = httpx2.Response(200, json={"hello": 1})
    with client_of(lambda _: other) as client, pytest.raises(UnexpectedAnswer, match="ModelList"):
        client.models()


def test_the_key_travels_in_the_authorization_header_only() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"object": "list", "data": []})

    with client_of(answer) as client:
        client.models()
    assert seen[0].headers["Authorization"] == "Bearer gw-key"
    assert "gw-key" not in str(seen[0].url)


@pytest.mark.parametrize("name", ["..", ".", "", "../models", "a/b"])
@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("collection", lambda client, name: client.collections.delete(name)),
        ("collection", lambda client, name: list(client.documents.list(name))),
        ("document", lambda client, name: client.documents.delete("c", name)),
        ("job", lambda client, name: client.jobs.get(name)),
    ],
)
def test_a_name_never_leads_to_another_path(what: str, call: Callable[[Groundwork, str], Any], name: str) -> None:
    server = Recorder()
    with client_of(server) as client, pytest.raises(NoSuchName, match=f"There is no {what} '{name}'"):
        call(client, name)
    assert server.asked == []


def test_a_models_name_has_slashes_and_leads_to_no_other_path() -> None:
    server = Recorder(httpx2.Response(204), httpx2.Response(204))
    with client_of(server) as client:
        client.delete_model("hf/m")
        client.delete_model("../keys")
        with pytest.raises(NoSuchName):
            client.delete_model("..")
    assert server.calls == ["DELETE /v1/models/hf%2Fm", "DELETE /v1/models/..%2Fkeys"]
