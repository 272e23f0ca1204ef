# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "arize-phoenix==20.26.1",
# ]
# ///
"""Arize Phoenix as it is installed: what its API says of our traces, not what was sent to it.

It is asked as its pages ask (GraphQL), and for attributes by REST.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

PORT = os.environ["PHOENIX_PORT"]
PHOENIX = f"http://127.0.0.1:{PORT}"
KITS = os.environ["KITS"]
QUESTION = "For how many days may the kits of the depot be kept?"
RAG = {"model": "rag:kits", "groundwork": {"model": "plain"}}
AGENT = {"name": "reckoner", "model": "plain", "instructions": "Multiply.", "tools": ["calculator"]}
MULTIPLY = 'CALL calculator {"expression": "6 * 7"}'
PRIVATE = ("depot", "Leeds", "who are you", "Good morning", "Multiply", "6 * 7")
MOST_SPANS = 30
SECONDS = 120.0
QUIET_LOOKS = 4
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
TRACE = """query($id: ID!) { projects { edges { node { name trace(traceId: $id) {
  numSpans
  costSummary { prompt { tokens } completion { tokens } total { tokens } }
  rootSpan { name spanKind cumulativeTokenCountTotal input { value } output { value } }
  spans(first: 1000) { edges { node { name spanKind statusCode input { value } output { value } } } }
} } } } }"""
Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A call, what came of it, and what its trace has to show."""

    trace_id: str
    question: str
    answer: str
    usage: Json
    kind: str
    model_calls: int
    searches: int
    calls_tool: bool = False


@contextmanager
def phoenix(folder: Path) -> Iterator[None]:
    """It runs until the block ends, on SQLite in the folder."""
    with tempfile.TemporaryFile() as log:
        settings = {
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": PORT,
            "PHOENIX_GRPC_PORT": "0",
            "PHOENIX_WORKING_DIR": str(folder),
            "PHOENIX_TELEMETRY_ENABLED": "false",
            "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        }
        command = [str(Path(sys.executable).with_name("phoenix")), "serve"]
        process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=log, stderr=log)
        try:
            until = time.monotonic() + SECONDS
            while not is_ready():
                if process.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    raise AssertionError(log.read().decode()[-3000:])
                time.sleep(0.3)
            yield
        finally:
            process.terminate()
            process.wait(60)


def is_ready() -> bool:
    try:
        return httpx.get(f"{PHOENIX}/readyz", timeout=5).is_success
    except httpx.HTTPError:
        return False


def ingest(client: httpx.Client) -> None:
    """The document, and an agent."""
    client.post("/v1/collections", json={"name": "kits"}).raise_for_status()
    document = {"text": KITS, "title": "Demo kits"}
    job = client.post("/v1/collections/kits/documents", json=document).raise_for_status().json()["job"]
    until = time.monotonic() + SECONDS
    while job["status"] != "ready":
        assert time.monotonic() < until, job
        time.sleep(0.1)
        job = client.get(f"/v1/jobs/{job['id']}").json()
    client.post("/v1/agents", json=AGENT).raise_for_status()


def ask(client: httpx.Client, question: str, kind: str, calls: int, searches: int, **body: Any) -> Asked:
    """A chat in a trace of its own."""
    trace_id = secrets.token_hex(16)
    told = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    messages = [{"role": "user", "content": question}]
    answer = client.post("/v1/chat/completions", headers=told, json={"messages": messages, **body})
    assert answer.is_success, answer.text
    if body.get("stream"):
        lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
        chunks = [json.loads(line) for line in lines]
        text = "".join(choice["delta"].get("content") or "" for one in chunks for choice in one.get("choices", ()))
        usage = next(one["usage"] for one in chunks if one.get("usage"))
    else:
        text, usage = answer.json()["choices"][0]["message"]["content"], answer.json()["usage"]
    return Asked(trace_id, question, text or "", usage, kind, calls, searches, "tools" in body)


def ask_all(client: httpx.Client) -> list[Asked]:
    """Chats, answers from documents and runs of an agent, whole and streamed; a chat that ends in a tool's call."""
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    asked = [ask(client, 'CALL add {"a": 1}', "chain", 1, 0, model="plain", tools=[tool])]
    for more in ({}, STREAMED):
        asked.append(ask(client, "Hello there, who are you?", "chain", 1, 0, model="plain", **more))
        asked.append(ask(client, QUESTION, "chain", 1, 1, **RAG, **more))
        asked.append(ask(client, MULTIPLY, "agent", 2, 0, model="agent:reckoner", **more))
    return asked


def wait_until_at_rest(asked: list[Asked]) -> None:
    """Until every trace is there and for a few looks no span has come: services send theirs once a second."""
    until, before, quiet = time.monotonic() + SECONDS, [0], 0
    while quiet < QUIET_LOOKS:
        assert time.monotonic() < until, before
        time.sleep(1)
        now = [len(spans_of(one)) for one in asked]
        quiet = quiet + 1 if now == before and all(now) else 0
        before = now


def spans_of(asked: Asked) -> list[Json]:
    """By REST, with attributes."""
    params = {"trace_id": asked.trace_id, "limit": 1000}
    answer = httpx.get(f"{PHOENIX}/v1/projects/default/spans", params=params, timeout=60)
    return [] if answer.status_code == 404 else list(answer.raise_for_status().json()["data"])


def trace_of(asked: Asked) -> Json:
    """As its pages have it."""
    query = {"query": TRACE, "variables": {"id": asked.trace_id}}
    answer = httpx.post(f"{PHOENIX}/graphql", json=query, timeout=60).raise_for_status().json()
    assert "errors" not in answer, answer
    (project,) = [edge["node"] for edge in answer["data"]["projects"]["edges"] if edge["node"]["name"] == "default"]
    trace: Json = project["trace"]
    trace["spans"] = [edge["node"] for edge in trace["spans"]["edges"]]
    return trace


def check(asked: Asked) -> Json:
    """What holds of every trace: kinds, tokens once, nothing failed, few spans."""
    trace = trace_of(asked)
    spans, root, told = trace["spans"], trace["rootSpan"], trace["costSummary"]
    kinds = [span["spanKind"] for span in spans]
    names = [span["name"] for span in spans]
    assert (kinds.count("llm"), kinds.count("retriever")) == (asked.model_calls, asked.searches), names
    assert (root["spanKind"], root["name"]) == (asked.kind, "POST /v1/chat/completions"), root
    read, written = asked.usage["prompt_tokens"], asked.usage["completion_tokens"]
    assert (told["prompt"]["tokens"], told["completion"]["tokens"]) == (read, written), (told, asked.usage)
    assert told["total"]["tokens"] == root["cumulativeTokenCountTotal"] == asked.usage["total_tokens"] > 0
    assert not [span["name"] for span in spans if span["statusCode"] == "ERROR"], spans
    assert len(spans) == trace["numSpans"] == len(spans_of(asked)) <= MOST_SPANS, names
    return trace


def check_silent(asked: Asked) -> None:
    """No column and no attribute holds what was asked or answered."""
    trace = check(asked)
    columns = [span[side] for span in [*trace["spans"], trace["rootSpan"]] for side in ("input", "output")]
    assert columns == [None] * len(columns), columns
    kept = json.dumps([span["attributes"] for span in spans_of(asked)])
    assert not [word for word in PRIVATE if word in kept], kept


def check_shown(asked: Asked) -> None:
    """The columns of the call and of each model call hold what was asked and answered."""
    trace = check(asked)
    root = trace["rootSpan"]
    assert root["input"]["value"] == asked.question, root
    shown = root["output"]["value"]
    assert ('"add"' in shown and not asked.answer) if asked.calls_tool else shown == asked.answer, root
    models = [span for span in trace["spans"] if span["spanKind"] == "llm"]
    assert all(span["input"]["value"] and span["output"]["value"] for span in models), models
    said = [span["attributes"] for span in spans_of(asked) if span["span_kind"] == "LLM"]
    assert any(asked.question in str(value) for one in said for name, value in one.items() if "input_messages" in name)


def main() -> None:
    with tempfile.TemporaryDirectory() as name, phoenix(Path(name)):
        homes = [("GATEWAY_URL", "OPENAI_API_KEY", check_silent), ("SHOWING_URL", "SHOWING_KEY", check_shown)]
        for url, key, checking in homes:
            headers = {"Authorization": f"Bearer {os.environ[key]}"}
            with httpx.Client(base_url=os.environ[url], headers=headers, timeout=SECONDS) as client:
                ingest(client)
                asked = ask_all(client)
            wait_until_at_rest(asked)
            assert [one.answer.count(" [") for one in asked if one.searches] == [24, 24], asked
            for one in asked:
                checking(one)


main()
