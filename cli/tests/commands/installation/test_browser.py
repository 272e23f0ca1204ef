from __future__ import annotations

import webbrowser
from contextlib import suppress

import httpx2
import pytest
from cli.tests.server import Recorder, Serve, error
from cli.tests.terminal import output, run, sentence

from groundwork.commands.installation import browser

TOKEN = httpx2.Response(201, json={"token": "gwo_once", "expires_at": "2026-01-01T00:01:00Z"})
SERVER = ("--base-url", "http://groundwork.test/", "--api-key", "gw_key")
ADDRESS = "http://groundwork.test/console/"


def test_the_browser_is_sent_on_signed_in_and_its_command_line_signs_nobody_else_in(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[httpx2.Response] = []

    def browse(address: str) -> bool:
        assert "gwo_" not in address
        told.extend(httpx2.get(url) for url in (f"{address}x", address, address))
        return True

    monkeypatch.setattr(webbrowser, "open", browse)
    server = Recorder(TOKEN)
    serve(server)
    assert output(*SERVER, "open") == f"Opened {ADDRESS}\n"
    assert server.calls == ["POST /v1/session/token"], "made for the browser that came, once"
    assert [answer.status_code for answer in told] == [404, 303, 404]
    assert told[1].headers["location"] == f"{ADDRESS}#token=gwo_once"
    assert told[1].headers["cache-control"] == "no-store"


@pytest.mark.parametrize("opens", [True, False])
def test_where_no_browser_comes_the_address_is_told(serve: Serve, monkeypatch: pytest.MonkeyPatch, opens: bool) -> None:
    monkeypatch.setattr(browser, "BROWSER_SECONDS", 0.01)
    monkeypatch.setattr(webbrowser, "open", lambda _: opens)
    server = Recorder(TOKEN)
    serve(server)
    done = run(*SERVER, "open")
    assert (done.exit_code, server.calls) == (0, ["POST /v1/session/token"])
    assert done.stdout == f"{ADDRESS}#token=gwo_once\n"


def test_what_the_server_refuses_is_said_and_the_browser_gets_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: told.append(httpx2.get(address).status_code) or True)
    serve(Recorder(error(401, "key_revoked", "This API key was revoked.")))
    assert "This API key was revoked." in sentence(*SERVER, "open")
    assert told == [404]


def test_the_address_can_be_had_without_a_browser(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: pytest.fail("it opened a browser"))
    serve(Recorder(TOKEN))
    assert output(*SERVER, "open", "--print") == f"{ADDRESS}#token=gwo_once\n"


def test_a_fault_that_nobody_foresaw_is_never_said_to_have_opened_anything(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: httpx2.Request) -> httpx2.Response:
        raise MemoryError

    def browse(address: str) -> bool:
        with suppress(httpx2.HTTPError):
            httpx2.get(address)
        return True

    monkeypatch.setattr(webbrowser, "open", browse)
    serve(broken)
    done = run(*SERVER, "open")
    assert done.stdout == ""
    assert isinstance(done.exception, MemoryError)
