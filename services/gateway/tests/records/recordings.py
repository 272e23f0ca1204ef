"""Recordings of calls that were never made."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from contracts.access.guardrails import Guardrails
from contracts.models.chat import ChatRequest
from gateway.records.recording import Recording, Room
from gateway.usage.records import UsageRecord


class Roomy:
    """Room without end, for what is never written."""

    def hold(self, size: int) -> bool:
        return True

    def release(self, size: int) -> None: ...

    def submit(self, recording: Recording) -> None: ...


def usage_of(call_id: str, at: datetime, tenant: str = "acme", **more: Any) -> UsageRecord:
    facts = {"id": call_id, "parent_id": None, "request_id": "r", "key_id": "k1", "tenant": tenant, "route": "chat"}
    counts = {"prompt_tokens": 1, "completion_tokens": 1, "embedding_tokens": 0, "cost_nano_usd": 5}
    ended = {"status": 200, "error_type": None, "streamed": False, "started_at": at, "ms": 7, "model": "m"}
    return UsageRecord(**{**facts, **counts, **ended, **more})


def recording(room: Room, answer_id: str, at: datetime, **more: Any) -> Recording:
    """Of a call that asked `question` of `model` and was answered with `answer`, for the rest of `more`."""
    question, answer = more.pop("question", "Why?"), more.pop("answer", "Because.")
    model, user, days = more.pop("model", "m"), more.pop("user", None), more.pop("days", 30)
    report, sources = more.pop("report", None), more.pop("sources", None)
    message: dict[str, Any] = {"message": {"content": answer, "tool_calls": more.pop("tool_calls", None)}, "index": 0}
    message["finish_reason"] = more.pop("finish_reason", None)
    mode, truncated = more.pop("mode", "full"), more.pop("truncated", False)
    frame = json.dumps({"id": answer_id, "choices": [message], "groundwork": report}).encode()
    request = ChatRequest.model_validate({"model": model, "messages": [{"role": "user", "content": question}]})
    assert room.hold(len(frame))
    return Recording(
        room=room,
        mode=mode,
        expires_at=at + timedelta(days=days),
        guardrails=Guardrails(),
        user=user,
        request=request,
        id_of=str,
        size=len(frame),
        frames=[frame],
        truncated=truncated,
        sources=sources,
        usage=usage_of(answer_id.replace("chatcmpl", "call"), at, **more),
    )
