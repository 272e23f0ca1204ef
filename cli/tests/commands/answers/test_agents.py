from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import httpx2
import pytest
import typer
from cli.tests.server import client_of, sse
from typer.testing import CliRunner

from contracts.agents.runs import PendingToolCall
from groundwork.client import agents
from groundwork.commands import app
from groundwork.commands.answers.agents import _decision
from groundwork.commands.session import Session
from groundwork.settings import CommandSettings

AT = "2026-01-01T00:00:00Z"
CALL = PendingToolCall(id="call_1", name="pay", arguments={"amount": 2})


def answers(monkeypatch: pytest.MonkeyPatch, *given: str) -> None:
    """What the person types, one after another."""
    typed = iter(given)
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: next(typed))


@pytest.mark.parametrize(
    ("typed", "action"),
    [
        (("nope", "maybe", "no", "because"), "reject"),
        (("reject", ""), "reject"),
        (("approved?", "approve"), "approve"),
        (("Y",), "approve"),
        (("edit", "{not", "[1]", '{"a": NaN}', '{"a": "\\ud800"}', '{"a":' * 9000, '{"amount": 3}'), "edit"),
    ],
)
def test_what_is_no_answer_approves_nothing(
    monkeypatch: pytest.MonkeyPatch, typed: tuple[str, ...], action: str
) -> None:
    answers(monkeypatch, *typed)
    decided = _decision(Session(CommandSettings()), CALL, approve=False)
    assert decided.action == action
    assert decided.arguments == ({"amount": 3} if action == "edit" else None)


def test_a_date_in_an_agents_file_is_a_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sent: list[bytes] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.read())
        moment = {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
        return httpx2.Response(201, json={"name": "helper", "version": 1, **moment})

    monkeypatch.setattr(Session, "client", lambda _: client_of(answer))
    (tmp_path / "helper.yaml").write_text("instructions: 2026-01-01\n")
    done = CliRunner().invoke(app, ["agent", "save", str(tmp_path / "helper.yaml")])
    assert done.exit_code == 0, done.output
    assert json.loads(sent[0]) == {"name": "helper", "instructions": "2026-01-01"}


class Terminal(io.StringIO):
    """Standard input where a person sits."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("pressed", [typer.Abort, KeyboardInterrupt], ids=["at a prompt", "elsewhere"])
def test_ctrl_c_at_a_question_cancels_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pressed: type[BaseException]
) -> None:
    """A prompt raises `Abort` where all else raises `KeyboardInterrupt`."""
    run = {"id": "r", "thread_id": "t", "agent": "helper", "agent_version": 1, "input": "x", "created_at": AT}
    waiting = {**run, "status": "waiting_approval", "pending_tool_calls": [CALL.model_dump()]}
    cancelled: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/cancel"):
            cancelled.append(request.url.path)
        if request.url.path.endswith("/events"):
            return sse({"id": 1, "type": "run.waiting_approval", "run_id": "r", "created_at": AT})
        return httpx2.Response(200, json={**run, "status": "cancelled"} if cancelled else waiting)

    def press(*_: object, **__: object) -> str:
        raise pressed

    monkeypatch.setattr(Session, "client", lambda _: client_of(answer))
    monkeypatch.setattr(typer, "prompt", press)
    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(SystemExit) as ended:
        app(["agent", "run", "helper", "Pay.", "-t", "t"])
    assert ended.value.code == 1
    assert cancelled == ["/v1/threads/t/runs/r/cancel"]
    assert "Cancelled." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (["--after", "0"], {"after": 0}),
        (
            ["--after", "2", "--input", "Go on.", "--agent-version", "3"],
            {"after": 2, "input": "Go on.", "agent_version": 3},
        ),
        (["--after", "1", "--agent-version", "current"], {"after": 1, "agent_version": "current"}),
    ],
)
def test_a_replay_is_followed_on_its_own_thread(
    monkeypatch: pytest.MonkeyPatch, options: list[str], sent: dict[str, object]
) -> None:
    new = {"id": "r2", "thread_id": "t2", "agent": "helper", "agent_version": 1, "input": "x", "created_at": AT}
    asked: list[str] = []
    body: list[object] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        if request.url.path.endswith("/replay"):
            body.append(json.loads(request.read()))
        if request.url.path.endswith("/events"):
            said = {"id": 1, "type": "token", "step": 1, "data": {"text": "Done."}, "run_id": "r2", "created_at": AT}
            return sse(said, {**said, "id": 2, "type": "run.completed"})
        return httpx2.Response(200, json={**new, "status": "completed"})

    monkeypatch.setattr(Session, "client", lambda _: client_of(answer))
    done = CliRunner().invoke(app, ["agent", "replay", "t", "r", *options])
    assert done.exit_code == 0, done.output
    assert body == [sent]
    assert asked[0] == "/v1/threads/t/runs/r/replay"
    assert set(asked[1:]) == {"/v1/threads/t2/runs/r2/events", "/v1/threads/t2/runs/r2"}
    assert "Done." in done.output


def test_a_version_that_is_no_number_is_refused_before_anything_is_asked() -> None:
    done = CliRunner().invoke(app, ["agent", "replay", "t", "r", "--after", "0", "--agent-version", "newest"])
    assert done.exit_code == 2


def test_a_person_whose_edit_does_not_fit_is_told_and_asked_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = {"id": "r", "thread_id": "t", "agent": "helper", "agent_version": 1, "input": "x", "created_at": AT}
    waiting = {**run, "status": "waiting_approval", "pending_tool_calls": [CALL.model_dump()]}
    wrong = {"type": "invalid_request", "code": "arguments_dont_fit", "message": "amount: not a number", "param": None}
    decided: list[object] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/resume"):
            decided.append(json.loads(request.read())["decisions"][0]["arguments"])
            if len(decided) == 1:
                return httpx2.Response(422, json={"error": {**wrong, "request_id": "q"}})
        if request.url.path.endswith("/events"):
            waits = {"id": 1, "type": "run.waiting_approval", "run_id": "r", "created_at": AT}
            return sse(waits, {**waits, "id": 2, "type": "run.completed"})
        return httpx2.Response(200, json={**run, "status": "completed"} if len(decided) == 2 else waiting)

    monkeypatch.setattr(Session, "client", lambda _: client_of(answer))
    monkeypatch.setattr(sys, "stdin", Terminal())
    answers(monkeypatch, "edit", '{"amount": "much"}', "edit", '{"amount": 3}')
    app(["agent", "run", "helper", "Pay.", "-t", "t"], standalone_mode=False)
    assert decided == [{"amount": "much"}, {"amount": 3}]
    assert "amount: not a number" in capsys.readouterr().err


def test_a_server_that_goes_away_is_told_on_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"id": 1, "run_id": "r", "created_at": AT}
    ended = [
        sse({**told, "type": "token", "data": {"text": "x"}}),
        None,
        sse({**told, "id": 2, "type": "run.completed"}),
    ]

    def answer(request: httpx2.Request) -> httpx2.Response:
        response = ended.pop(0)
        if response is None:
            raise httpx2.ConnectError("refused", request=request)
        return response

    monkeypatch.setattr(agents, "RECONNECT_SECONDS", 0.0)
    monkeypatch.setattr(Session, "client", lambda _: client_of(answer))
    done = CliRunner().invoke(app, ["agent", "events", "t", "r"])
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr.startswith("Nothing answers at http://groundwork.test.")
    assert "Trying again for up to 300 s" in done.stderr
