from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from cli.tests.server import error, sse

from groundwork.client.agents import Runs
from groundwork.client.connection import Connection
from groundwork.client.deadlines import AWAY_SECONDS
from groundwork.errors import ApiError, Unreachable, WaitTimeout

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


def test_a_replay_says_what_is_to_be_other_than_it_was_and_nothing_else() -> None:
    runs, asked = runs_of(run("queued"), run("queued"))
    runs.replay("t", "run-1", 0)
    runs.replay("t", "run-1", 2, "Be brief.", agent_version="current", key="once")
    assert [request.url.path for request in asked] == ["/v1/threads/t/runs/run-1/replay"] * 2
    changed = {"after": 2, "input": "Be brief.", "agent_version": "current"}
    assert [json.loads(request.read()) for request in asked] == [{"after": 0}, changed]
    assert [request.headers.get("Idempotency-Key") for request in asked] == [None, "once"]


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


class Clock:
    """Moves only when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, _seconds: float) -> None:
        self.now += 60.0


def following(*answers: httpx2.Response | None) -> tuple[Runs, Clock]:
    """Runs of a server that gives these answers; None, and after the last, it does not answer."""
    sequence, clock = iter(answers), Clock()

    def answer(request: httpx2.Request) -> httpx2.Response:
        response = next(sequence, None)
        if response is None:
            raise httpx2.ConnectError("refused", request=request)
        return response

    connection = Connection("http://groundwork.test", "k", transport=httpx2.MockTransport(answer))
    return Runs(connection, clock.wait, clock), clock


def test_a_server_that_was_never_reached_is_not_waited_for() -> None:
    runs, clock = following()
    with pytest.raises(Unreachable, match="Nothing answers"):
        list(runs.events("t", "run-1", timeout=86_400))
    assert clock.now == 0


def test_a_server_that_goes_away_is_waited_for_told_once_and_then_given_up() -> None:
    runs, clock = following(sse(event(1)))
    told: list[Exception] = []
    read = runs.events("t", "run-1", timeout=86_400, away=told.append)
    assert next(read).id == 1
    with pytest.raises(Unreachable):
        next(read)
    assert len(told) == 1
    assert AWAY_SECONDS <= clock.now < AWAY_SECONDS + 120


def test_a_server_whose_service_is_away_is_waited_for_as_long() -> None:
    runs, clock = following(run("running"), *(error(503, "agent_away") for _ in range(1000)))
    runs.get("t", "run-1")
    with pytest.raises(ApiError, match="went wrong"):
        list(runs.events("t", "run-1", timeout=86_400))
    assert clock.now < AWAY_SECONDS + 120


def test_a_server_that_comes_back_has_all_its_time_again() -> None:
    silent = [None, sse(), run("running")] * 20
    runs, clock = following(sse(event(1)), *silent, sse(event(2, "run.completed")))
    told: list[Exception] = []
    assert [one.id for one in runs.events("t", "run-1", timeout=86_400, away=told.append)] == [1, 2]
    assert clock.now > 2 * AWAY_SECONDS
    assert len(told) == 20


def test_a_run_that_says_nothing_is_waited_for_until_the_timeout() -> None:
    runs, clock = following(*([sse(), run("running")] * 100))
    with pytest.raises(WaitTimeout, match="nothing new in 600 s"):
        list(runs.events("t", "run-1", timeout=600))
    assert clock.now > 600


def test_the_runs_of_all_threads_are_listed_page_by_page_by_what_is_asked_for() -> None:
    pages = [{"data": [run("queued").json()], "next_cursor": "c"}, {"data": [], "next_cursor": None}]
    runs, asked = runs_of(*(httpx2.Response(200, json=page) for page in pages))
    assert [one.status for one in runs.list_all(status="queued")] == ["queued"]
    assert [dict(request.url.params) for request in asked] == [
        {"status": "queued", "limit": "100"},
        {"status": "queued", "limit": "100", "cursor": "c"},
    ]
    assert asked[0].url.path == "/v1/runs"
