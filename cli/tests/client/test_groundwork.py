from __future__ import annotations

import httpx2
from cli.tests.server import client_of


def test_not_ready_is_an_answer_not_an_error() -> None:
    health = {
        "status": "unavailable",
        "service": "gateway",
        "version": "0",
        "parts": {"agent": {"ok": False, "detail": "away"}},
    }
    with client_of(lambda _: httpx2.Response(503, json=health)) as client:
        readiness = client.readiness()
    assert readiness.status == "unavailable"
    assert readiness.parts["agent"].detail == "away"
