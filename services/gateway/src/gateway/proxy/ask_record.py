"""The record of an `ask` of `/mcp`, which the agent service answers as it does `rag:` models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from contracts.access.guardrails import GuardDecision
from contracts.access.records import RECORD_HEADER
from contracts.agents.mcp import META
from contracts.models.catalog import RAG
from contracts.models.chat import ChatRequest
from contracts.operations.agents import SPEAK_MCP
from contracts.operations.operation import Operation
from gateway.dependencies import Dependencies
from gateway.records.recording import MOST_ANSWER_BYTES, Recording, begin_recording
from gateway.streaming.exchange import Exchange
from gateway.usage.inner_calls import InnerCalls, complete_receipt
from gateway.usage.meter import MeteredCall
from gateway.usage.records import UsageRecord
from servicekit.streams.chunks import object_in

log = structlog.get_logger(__name__)
OWN = ("answer", "citations", "id")
"""Of the structured content what is no report."""
FAILED = "tool_failed"
"""The kind of error of an `ask` that has none: in MCP a tool fails inside an answer with status 200."""


class AskRecord:
    """Keeps what goes out, and what the answer told for its record alone, as a chat's answer."""

    def __init__(self, recording: Recording, call: MeteredCall, inner: InnerCalls) -> None:
        self._recording = recording
        self._call = call
        self._inner = inner
        self._reply = b""
        self._receipt: dict[str, Any] | None = None
        self._is_whole = True

    def take_report(self, reply: bytes) -> bytes:
        """The reply as it is for its caller, byte for byte: without what was told beside it."""
        message = object_in(reply)
        result = message.get("result")
        beside = result.pop(META, None) if isinstance(result, dict) else None
        if not isinstance(beside, dict):
            return reply
        if isinstance(beside.get("receipt"), dict):
            self._receipt = beside["receipt"]
        self._recording.report(self._receipt, beside.get("sources"))
        return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()

    def keep(self, reply: bytes) -> None:
        """The reply goes out; what is beyond any answer's size, or has no room, is not looked at."""
        self._is_whole = len(reply) <= MOST_ANSWER_BYTES and self._recording.room.hold(len(reply))
        self._reply = reply if self._is_whole else b""

    async def finish(self) -> None:
        """The reply is about to go out: whoever waits for it finds the call's slot free."""
        await self._call.finish()

    async def complete(self) -> None:
        """The reply has gone out: what the calls inside it used and cost comes into its receipt."""
        if self._receipt is None:
            return
        try:
            with self._call.waiting():
                spent = await self._inner.spent(self._call.id, self._call.principal.key_id)
            complete_receipt(self._receipt, self._call, spent)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.error("a record's receipt is as the answer came", call=self._call.id, error=repr(error)[:300])

    def end(self, call: MeteredCall, usage: UsageRecord | None, error: tuple[str, str] | None) -> None:
        """The call has ended: what its reply says is the answer."""
        self._recording.room.release(len(self._reply))
        result = object_in(self._reply).get("result") or {}
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
    record = AskRecord(recording, call, deps.inner_calls)
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
