from __future__ import annotations

from typing import Any

import httpx2
import pytest
from cli.tests.server import error, sse

from groundwork.client.agents import Runs
from groundwork.client.connection import Connection
from groundwork.errors import ApiError

AT = "2026-01-01T00:00:00Z"


def runs_of(*responses: httpx2.Response) -> tuple[Runs, list[httpx2.Request]]:
    sequence = iter(responses)
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return next(sequence)

    connection = Connection("http://groundwork.test", "k", transport=httpx2.MockTransport(answer))
    return Runs(connection, lambda _: None), asked


def run(status: str) -> httpx2.Response:
    about = {"id": "run-1", "thread_id": "t", "agent": "helper", "agent_version": 1, "input": "Do it."}
    return httpx2.Response(200, json={**about, "status": status, "created_at": AT})


def event(number: int, kind: str = "token") -> dict[str, Any]:
    return {"id": number, "type": kind, "run_id": "run-1", "created_at": AT}


def test_nothing_is_waited_for_after_the_last_event_of_a_run_that_is_over() -> None:
    runs, asked = runs_of(sse(), run("completed"), sse())
    assert list(runs.events("t", "run-1", after=9, timeout=60)) == []
    assert [request.headers.get("Last-Event-ID") for request in asked] == ["9", None, "9"]


def test_what_a_run_said_while_its_stream_was_down_is_read_though_it_is_over() -> None:
    runs, _ = runs_of(sse(event(1)), run("completed"), sse(event(2), event(3, "run.completed")))
    assert [one.id for one in runs.events("t", "run-1", timeout=60)] == [1, 2, 3]


def test_a_stream_that_breaks_off_is_taken_up_where_it_was() -> None:
    runs, asked = runs_of(sse(event(1)), run("running"), sse(event(2, "run.failed")))
    assert [one.id for one in runs.events("t", "run-1", timeout=60)] == [1, 2]
    assert asked[-1].headers["Last-Event-ID"] == "1"


def test_a_run_that_is_deleted_while_it_is_followed_is_not_found() -> None:
    runs, _ = runs_of(sse(event(1)), error(404, "run_not_found"))
    following = runs.events("t", "run-1", timeout=60)
    assert next(following).id == 1
    with pytest.raises(ApiError, match="went wrong"):
        next(following)
