from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from servicekit.core.errors import NotReady
from servicekit.core.probes import Degraded, Probe
from servicekit.web.health import health_router

asked: list[str] = []


async def _works() -> None:
    asked.append("works")


async def _fails() -> None:
    raise NotReady("The engine is loading.")


async def _limps() -> None:
    raise Degraded("It is slower today.")


@pytest.fixture
def client() -> Callable[..., TestClient]:
    asked.clear()

    def serving(probes: Mapping[str, Probe], ready_seconds: float = 0.0) -> TestClient:
        app = FastAPI()
        app.include_router(health_router("sample", lambda _: probes, ready_seconds))
        return TestClient(app)

    return serving


def test_readiness_names_the_part_that_fails(client: Callable[..., TestClient]) -> None:
    response = client({"database": _works, "engine": _fails}).get("/readyz")
    parts = response.json()["parts"]
    assert (response.status_code, response.json()["status"]) == (503, "unavailable")
    assert parts["database"]["ok"] is True
    assert (parts["engine"]["ok"], parts["engine"]["detail"]) == (False, "The engine is loading.")


def test_a_service_that_can_do_without_a_part_is_ready_and_shows_it(client: Callable[..., TestClient]) -> None:
    response = client({"database": _works, "redis": _limps}).get("/readyz")
    assert (response.status_code, response.json()["status"]) == (200, "ok")
    assert response.json()["parts"]["redis"]["detail"] == "It is slower today."


def test_a_service_that_needs_nothing_is_ready(client: Callable[..., TestClient]) -> None:
    assert client({}).get("/readyz").status_code == 200


def test_a_service_is_alive_whatever_it_lacks_and_asks_nobody(client: Callable[..., TestClient]) -> None:
    response = client({"database": _works, "engine": _fails}).get("/healthz")
    assert (response.status_code, response.json()["status"], response.json()["service"]) == (200, "ok", "sample")
    assert asked == []


@pytest.mark.parametrize(("ready_seconds", "times"), [(0.0, 3), (3600.0, 1)])
def test_an_answer_is_remembered_as_long_as_a_service_wants(
    client: Callable[..., TestClient], ready_seconds: float, times: int
) -> None:
    with client({"database": _works}, ready_seconds) as serving:
        for _ in range(3):
            assert serving.get("/readyz").status_code == 200
    assert len(asked) == times
