"""The outermost layer of every call: its id, its trace, its log line and its metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from fastapi import APIRouter, FastAPI
from prometheus_client import REGISTRY
from starlette.responses import Response
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from servicekit.telemetry.metrics import metrics_router
from servicekit.telemetry.trace_context import CURRENT
from servicekit.web.request_context import RequestContext

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACED = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
SERVICE = "context"
bound: list[dict[str, Any]] = []
router = APIRouter()


@router.get("/healthz")
@router.get("/bound/{name}")
async def bind(name: str = "") -> Response:
    bound.append(structlog.contextvars.get_contextvars())
    context = CURRENT.get()
    assert context is not None
    structlog.contextvars.bind_contextvars(tenant="acme")
    return Response(str(context.sampled), headers={"X-Request-Id": "of somebody else"})


@pytest.fixture
def client() -> Iterator[TestClient]:
    bound.clear()
    app = FastAPI()
    app.include_router(router)
    app.include_router(metrics_router())
    app.add_middleware(RequestContext, service=SERVICE)
    with TestClient(app) as client:
        yield client


def _calls(method: str, route: str, status: str) -> float:
    labels = {"service": SERVICE, "method": method, "route": route, "status": status}
    return REGISTRY.get_sample_value("groundwork_http_requests_total", labels) or 0.0


def _in_flight() -> float | None:
    return REGISTRY.get_sample_value("groundwork_http_in_flight", {"service": SERVICE})


def test_a_sane_request_id_is_kept_and_a_hostile_one_replaced(client: TestClient) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get("/healthz", headers={"X-Request-Id": "a b{}"}).headers["x-request-id"].startswith("req_")


def test_metrics_count_calls_by_route_template(client: TestClient) -> None:
    client.get("/nowhere/else")
    text = client.get("/metrics").text
    assert 'groundwork_http_requests_total{method="GET",route="unmatched",service="context",status="404"}' in text
    assert "nowhere" not in text


def test_an_answer_has_one_request_id_and_it_is_the_call_s_own(client: TestClient) -> None:
    response = client.get("/bound/a", headers={"X-Request-Id": "abc-1"})
    assert response.headers.get_list("x-request-id") == ["abc-1"]
    assert bound[0]["request_id"] == "abc-1"


def test_a_call_s_logs_name_its_trace_and_nothing_of_the_call_before(client: TestClient) -> None:
    client.get("/bound/a")
    client.get("/bound/b", headers=TRACED)
    assert bound[1]["trace_id"] == TRACE
    assert [set(each) for each in bound] == [{"request_id", "trace_id"}] * 2


def test_a_call_is_logged_by_its_template_and_what_only_watches_is_not(client: TestClient) -> None:
    with capture_logs() as lines:
        for path in ("/bound/secret", "/healthz", "/metrics"):
            client.get(path)
    assert [(line["event"], line["route"], line["status"]) for line in lines] == [("call", "/bound/{name}", 200)]


def test_what_only_watches_the_service_is_not_recorded_in_a_trace(client: TestClient) -> None:
    assert [client.get(path, headers=TRACED).text for path in ("/bound/a", "/healthz")] == ["True", "False"]


async def _run(app: Any, method: str = "GET") -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await RequestContext(app, SERVICE)({"type": "http", "method": method, "path": "/", "headers": []}, receive, send)
    return sent


async def test_a_call_that_breaks_before_its_answer_counts_as_500_and_is_in_flight_no_more() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    before, open_ = _calls("GET", "unmatched", "500"), _in_flight() or 0.0
    with pytest.raises(ZeroDivisionError):
        await _run(broken)
    assert (_calls("GET", "unmatched", "500"), _in_flight()) == (before + 1, open_)


async def test_a_caller_that_leaves_in_the_middle_is_counted_with_the_status_that_was_sent() -> None:
    entered = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 206, "headers": []})
        entered.set()
        await asyncio.Event().wait()

    before = _calls("GET", "unmatched", "206")
    call = asyncio.create_task(_run(endless))
    await asyncio.wait_for(entered.wait(), 60)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert (call.cancelled(), _calls("GET", "unmatched", "206")) == (True, before + 1)


async def test_a_method_that_nobody_knows_makes_no_series_of_its_own() -> None:
    async def answers(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})

    (start,) = await _run(answers, "X" * 50)
    assert [name for name, _ in start["headers"]] == [b"x-request-id"], "also where an app gave no headers"
    assert _calls("X" * 50, "unmatched", "200") == 0.0


async def test_what_is_no_call_passes_through_as_it_came() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope = {"type": "lifespan"}
    await RequestContext(app, SERVICE)(scope, None, None)  # type: ignore[arg-type]
    assert seen == [{"type": "lifespan"}]
