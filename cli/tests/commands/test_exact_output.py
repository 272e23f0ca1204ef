"""What documents, models and agents say is printed as it is, whatever it looks like."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from cli.tests.server import Serve, by_path, page, sse
from cli.tests.terminal import output

AT = "2026-01-01T00:00:00Z"
ODD = r"So \[ 2x = 4 \] and :warning: :key: [red]x[/red] [/] \\[b] C:\[a]" + "\\"
LONG = "word " * 100 + "end"


def event(number: int, kind: str, **data: Any) -> dict[str, Any]:
    return {"id": number, "type": kind, "run_id": "r", "step": 1, "data": data, "created_at": AT}


def run() -> httpx2.Response:
    about = {"id": "r", "thread_id": "t", "agent": "helper", "agent_version": 1, "input": "Do it."}
    return httpx2.Response(200, json={**about, "status": "completed", "created_at": AT})


@pytest.mark.parametrize("text", [ODD, LONG, "a\tb \x1b[1m\u00fc"])
def test_an_event_is_a_line_of_json_with_nothing_changed(serve: Serve, text: str) -> None:
    sent = [event(1, "token", text=text), event(2, "run.completed")]
    serve(by_path(events=sse(*sent)))
    lines = output("agent", "events", "t", "r").splitlines()
    assert [json.loads(line)["data"] for line in lines] == [{"text": text}, {}]


@pytest.mark.parametrize("text", [ODD, LONG, "a\tb"])
def test_what_an_agent_says_is_printed_as_it_said_it(serve: Serve, text: str) -> None:
    sent = sse(event(1, "token", text=text), event(2, "run.completed"))
    serve(by_path(events=sent, runs=run(), r=run()))
    assert output("agent", "run", "helper", "x", "-t", "t") == f"{text}\n"
    message = {"role": "assistant", "content": text, "created_at": AT, "run_id": "r", "position": 1}
    serve(by_path(history=page(message)))
    assert output("agent", "history", "t") == f"assistant: {text}\n"
