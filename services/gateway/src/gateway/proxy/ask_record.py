"""The record of an `ask` of `/mcp`, which the agent service answers as it does `rag:` models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from contracts.access.guardrails import GuardDecision
from contracts.access.records import RECORD_HEADER
from contracts.models.catalog import RAG
from contracts.models.chat import ChatRequest
from contracts.operations.agents import SPEAK_MCP
from contracts.operations.operation import Operation
from gateway.dependencies import Dependencies
from gateway.records.recording import MOST_ANSWER_BYTES, Recording, begin_recording
from gateway.streaming.exchange import Exchange
from gateway.usage.meter import MeteredCall
from gateway.usage.records import UsageRecord
from servicekit.streams.chunks import object_in

OWN = ("answer", "citations", "id")
"""Of the structured content what is no report."""
FAILED = "tool_failed"
"""The kind of error of an `ask` that has none: in MCP a tool fails inside an answer with status 200."""


class AskRecord:
    """Keeps what goes out, and records it as a chat's answer."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_whole = True

    def keep(self, piece: bytes) -> None:
        """A piece of the reply goes out; what is beyond any answer's size, or has no room, is not looked at."""
        if not self._is_whole:
            return
        self._is_whole = self._size + len(piece) <= MOST_ANSWER_BYTES and self._recording.room.hold(len(piece))
        if self._is_whole:
            self._size += len(piece)
            self._pieces.append(piece)

    def end(self, call: MeteredCall, usage: UsageRecord | None, error: tuple[str, str] | None) -> None:
        """The call has ended: what its reply says is the answer."""
        self._recording.room.release(self._size)
        result = object_in(b"".join(self._pieces)).get("result") or {}
        content = result.get("structuredContent")
        if isinstance(content, dict):
            self._take(content)
        elif result.get("isError") is True:
            error = error or (FAILED, _text_of(result))
            usage = usage and replace(usage, error_type=usage.error_type or FAILED)
        self._recording.truncated = self._recording.truncated or not self._is_whole
        self._recording.end(call, usage, error)

    def _take(self, content: dict[str, Any]) -> None:
        report = {name: value for name, value in content.items() if name not in OWN}
        if collections := [name for name in report.get("collections") or () if isinstance(name, str)]:
            model = RAG + ",".join(collections)
            self._recording.request = self._recording.request.model_copy(update={"model": model})
        message = {"content": content.get("answer"), "annotations": content.get("citations")}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self._recording.keep(json.dumps({"id": content.get("id"), "choices": [choice], "groundwork": report}).encode())


def begin_ask_record(
    exchange: Exchange,
    deps: Dependencies,
    call: MeteredCall | None,
    spec: Operation[Any],
    body: object,
    decisions: Sequence[GuardDecision],
) -> AskRecord | None:
    """Record a call, if it asks and its key wants that. Raises `RecordHeaderUnclear`."""
    if call is None or spec.id != SPEAK_MCP.id or not isinstance(body, bytes):
        return None
    asked = _asked(body)
    if asked is None:
        return None
    header = exchange.header(RECORD_HEADER.lower())
    recording = begin_recording(deps.recorder, call, asked, len(body), header, str)
    if recording is None:
        return None
    recording.decisions = decisions
    record = AskRecord(recording)
    call.on_end = record.end
    return record


def _asked(body: bytes) -> ChatRequest | None:
    """None also for what the agent service is going to refuse."""
    try:
        message = object_in(body)
    except RecursionError:
        return None
    params = message.get("params")
    if message.get("method") != "tools/call" or not isinstance(params, dict) or params.get("name") != "ask":
        return None
    arguments = params.get("arguments")
    given = arguments if isinstance(arguments, dict) else {}
    names = given.get("collections")
    model = RAG + ",".join(name for name in names if isinstance(name, str)) if isinstance(names, list) else RAG
    try:
        said = [{"role": "user", "content": given.get("question")}]
        return ChatRequest.model_validate({"model": model, "messages": said})
    except ValidationError:
        return None


def _text_of(result: dict[str, Any]) -> str:
    parts = result.get("content")
    first = parts[0] if isinstance(parts, list) and parts else {}
    return str(first.get("text") or "")[:500] if isinstance(first, dict) else ""
