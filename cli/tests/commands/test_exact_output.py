"""What documents, models and agents say is printed as it is, whatever it looks like."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from cli.tests.server import client_of, sse
from typer.testing import CliRunner

from groundwork.commands import app
from groundwork.commands.session import Session

AT = "2026-01-01T00:00:00Z"
ODD = r"So \[ 2x = 4 \] and :warning: :key: [red]x[/red] [/] \\[b] C:\[a]" + "\\"
LONG = "word " * 100 + "end"


def output(monkeypatch: pytest.MonkeyPatch, answers: dict[str, httpx2.Response], *arguments: str) -> str:
    """What a command prints to standard output when the server answers the end of a path so."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return next(given for end, given in answers.items() if request.url.path.endswith(end))

    monkeypatch.setattr(Session, "client", lambda _: client_of(answer))
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done.stdout


def event(number: int, kind: str, **data: Any) -> dict[str, Any]:
    return {"id": number, "type": kind, "run_id": "r", "step": 1, "data": data, "created_at": AT}


def run() -> httpx2.Response:
    about = {"id": "r", "thread_id": "t", "agent": "helper", "agent_version": 1, "input": "Do it."}
    return httpx2.Response(200, json={**about, "status": "completed", "created_at": AT})


@pytest.mark.parametrize("text", [ODD, LONG, "a\tb \x1b[1m\u00fc"])
def test_an_event_is_a_line_of_json_with_nothing_changed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    sent = [event(1, "token", text=text), event(2, "run.completed")]
    lines = output(monkeypatch, {"/events": sse(*sent)}, "agent", "events", "t", "r").splitlines()
    assert [json.loads(line)["data"] for line in lines] == [{"text": text}, {}]


@pytest.mark.parametrize("text", [ODD, LONG, "a\tb"])
def test_what_an_agent_says_is_printed_as_it_said_it(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    sent = sse(event(1, "token", text=text), event(2, "run.completed"))
    said = output(monkeypatch, {"/events": sent, "/runs": run(), "/r": run()}, "agent", "run", "helper", "x", "-t", "t")
    assert said == f"{text}\n"
    message = {"role": "assistant", "content": text, "created_at": AT, "run_id": "r", "position": 1}
    page = httpx2.Response(200, json={"data": [message], "next_cursor": None})
    assert output(monkeypatch, {"/history": page}, "agent", "history", "t") == f"assistant: {text}\n"


def test_a_quote_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    note = {"marker": "[1]", "title": ODD, "source": ODD, "quote": ODD, "index": 0}
    ids = {"document_id": "d", "revision": 1, "chunk_id": "k", "collection": "c"}
    link = {"start_index": 0, "end_index": 3, "url": "/v1/collections/c/documents/d/content", "title": ODD}
    cited = {**note, **ids, "start": 0, "end": 1, "score": 0.5, "url_citation": link}
    chunk = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    delta = {"content": f"{ODD}\t[1]", "annotations": [cited]}
    stream = sse({**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]}, "[DONE]")
    printed = output(monkeypatch, {"/chat/completions": stream}, "ask", "why?", "-c", "c")
    assert printed == f"{ODD}\t[1]\n\n[1] {ODD} ({ODD})\n    “{ODD}”\n"


def test_a_hit_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    hit = {"title": ODD, "source": ODD, "text": ODD, "heading_path": [ODD], "score": 0.5, "chunk_id": "k"}
    more = {"document_id": "d", "revision": 1, "collection": "c", "start": 0, "end": 1, "scores": {}}
    reply = httpx2.Response(200, json={"hits": [{**hit, **more}], "collection_revision": 1})
    printed = output(monkeypatch, {"/search": reply}, "search", "x", "-c", "c")
    assert printed == f"1. {ODD} ({ODD})  score 0.500\n   {ODD}\n   {ODD}\n"
