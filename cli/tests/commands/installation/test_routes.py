from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cli.tests.server import client_of, page
from typer.testing import CliRunner

from groundwork.commands import app
from groundwork.commands.session import Session

AT = "2026-01-01T00:00:00Z"
SPLIT: dict[str, Any] = {
    "targets": [{"model": "rag:a", "name": "as-it-is", "weight": 9}, {"model": "rag:a", "name": "more"}],
    "split_by": "user",
    "guard": {"metric": "rating"},
    "shadow": {"model": "o", "share": 0.1, "key_id": "key_1"},
}
PLAIN = {"name": "o", "configured": False, "targets": [{"model": "o"}]}
END = {"metric": "rating", "variant": "more", "value": 0.1, "baseline": 0.9, "p": 0.001, "at": AT}


def _version(number: int, ended_at: str | None, **more: Any) -> dict[str, Any]:
    moments = {"created_at": AT, "activated_at": AT, "ended_at": ended_at}
    return {"version": number, "spec": SPLIT, "active": ended_at is None, **moments, **more}


VERSIONS = (_version(3, AT), _version(2, None), _version(1, "2026-01-02T00:00:00Z", ended_by=END))
MEASURE = {"calls": 40, "value": 0.5, "low": 0.25, "high": 0.75, "p": 0.03}
VARIANT = {"name": "more", "model": "rag:a", "weight": 1, "calls": 40, "units": 31, "is_baseline": False}
MEASURES = {"rating": MEASURE, "support": {"calls": 0}, "latency_ms": {"calls": 40, "value": 1234.5}}


class Server:
    """One route that is split, and what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.read() or b"null")
        path = request.url.path
        if request.method != "GET":
            self.asked.append((request.method, path, body))
            spec = body if body is not None else SPLIT
            version = int(path.split("/")[-2]) if path.endswith("activate") else 4
            return httpx2.Response(200, json={"name": "support", "configured": True, "version": version, **spec})
        if path.endswith("/versions"):
            return page(*VERSIONS)
        if path == "/v1/routes":
            return page({"name": "support", "configured": True, "version": 2, **SPLIT}, PLAIN)
        found = {"route": "support", "version": 2, "active": True, "split_by": "user", "since": AT, "ended_by": END}
        return httpx2.Response(200, json={**found, "variants": [{**VARIANT, "measures": MEASURES}]})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(Session, "client", lambda _: client_of(made))
    return made


def _said(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == status, done.output
    return " ".join(done.output.split()) if status else done.output


def test_a_route_that_is_shown_can_be_set_again_and_models_that_stand_for_themselves_are_none(
    server: Server, tmp_path: Path
) -> None:
    assert _said("route", "list").split() == ["support", "version", "2", "as-it-is", "9,", "more", "1"]
    file = tmp_path / "support.yaml"
    file.write_text(_said("route", "show", "support"))
    assert "support version 4" in _said("route", "set", "support", str(file))
    ((method, path, body),) = server.asked
    assert (method, path) == ("PUT", "/v1/routes/support")
    assert body == {**SPLIT, "targets": [SPLIT["targets"][0], SPLIT["targets"][1]]}


def test_a_route_goes_back_to_the_version_that_ended_last_or_to_the_one_that_is_named(server: Server) -> None:
    assert "'more' was ended by the guard: rating 0.1 against 0.9, p 0.001" in _said("route", "versions", "support")
    _said("route", "rollback", "support")
    _said("route", "rollback", "support", "--version", "3")
    activated = [path for _, path, _ in server.asked]
    assert activated == ["/v1/routes/support/versions/1/activate", "/v1/routes/support/versions/3/activate"]
    _said("route", "delete", "support")
    assert server.asked[-1][:2] == ("DELETE", "/v1/routes/support")


def test_an_experiment_is_listed_shown_and_stopped_for_one_variant_without_guard_and_shadow(server: Server) -> None:
    assert _said("experiment", "list").split() == ["support", "version", "2", "by", "user", "guard", "rating"]
    shown = _said("experiment", "show", "support")
    assert "50% (25%-75%) p 0.03" in shown
    assert "1.23e+03" in shown
    assert "'more' was ended by the guard" in shown
    for keep, kept in (([], {"name": "as-it-is"}), (["--keep", "more"], {"name": "more"})):
        _said("experiment", "stop", "support", *keep)
        assert server.asked[-1] == (
            "PUT", "/v1/routes/support", {"targets": [{"model": "rag:a", **kept}], "split_by": "user"},
        )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("route", "show", "none"), "There is no route 'none'"),
        (("experiment", "stop", "none"), "There is no route 'none'"),
        (("experiment", "stop", "support", "--keep", "x"), "Take one of: as-it-is, more."),
        (("route", "set", "support", "/nowhere.yaml"), "holds no route"),
    ],
)
def test_what_can_not_be_meant_is_said_in_a_sentence(server: Server, words: tuple[str, ...], says: str) -> None:
    assert says in _said(*words, status=1)
    assert server.asked == []
