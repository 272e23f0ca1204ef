"""The record of a run on a thread, which ends after the call that began it: the agent service tells of it then.

That of an `agent:` completion is the completion's own: its grant says that nothing is to be told.
"""

from __future__ import annotations

import json
from datetime import timedelta

from contracts.agents.runs import EndedRun, Run, RunReport
from contracts.models.catalog import AGENT
from contracts.models.chat import ChatRequest
from gateway.auth.keys import Principal
from gateway.records.recording import Recording, Room, memory_of
from gateway.usage.inner_calls import Spent
from gateway.usage.records import UsageRecord

CANCELLED = ("run_cancelled", "The run was cancelled.")


def record(room: Room, principal: Principal, request_id: str, ended: EndedRun, spent: Spent) -> None:
    """Have a run that has ended written, unless its key wants no records any more, or there is no memory for it.

    Its id is that of its events and of `/v1/feedback`; told twice, it is written once.
    """
    run, sources = ended.run, [source.model_dump() for source in ended.sources]
    report = RunReport.model_validate({**run.model_dump(), "run_id": run.id}).model_dump(mode="json")
    choice = {
        "index": 0,
        "message": {"content": run.output},
        "finish_reason": "length" if run.status == "limit_reached" else "stop",
    }
    frame = json.dumps({"id": run.id, "choices": [choice], "groundwork": report}).encode()
    source_bytes = memory_of(sources)
    size = len(frame) + len(run.input.encode("utf-8", "replace")) + source_bytes
    if principal.records == "off":
        return
    said = [{"role": "user", "content": run.input}]
    request = ChatRequest.model_validate({"model": f"{AGENT}{run.agent}@{run.agent_version}", "messages": said})
    usage, error = _usage_of(principal, request_id, run, spent)
    if not room.hold(size):
        return
    room.submit(
        Recording(
            room=room,
            mode=principal.records,
            expires_at=usage.started_at + timedelta(days=principal.records_days),
            guardrails=principal.guardrails,
            user=run.user,
            request=request,
            id_of=str,
            size=size,
            source_bytes=source_bytes,
            frames=[frame],
            sources=sources,
            attempts=spent.attempts,
            prompt=run.prompt,
            usage=usage,
            error=error,
        )
    )


def _usage_of(
    principal: Principal, request_id: str, run: Run, spent: Spent
) -> tuple[UsageRecord, tuple[str, str] | None]:
    """As the row of one call, which a run has none of, and the code and message of what ended it; as the completion of
    an agent would have ended."""
    status, error_type, error = 200, None, None
    if run.status == "failed":
        status, error_type = 502, "upstream_error"
        error = ("run_failed", "") if run.error is None else (run.error.code, run.error.message)
    elif run.status == "cancelled":
        status, error_type, error = 409, "conflict", CANCELLED
    usage = UsageRecord(
        id=run.id,
        parent_id=None,
        request_id=request_id,
        key_id=principal.key_id,
        tenant=principal.tenant,
        route="agents",
        model=None,
        prompt_tokens=spent.tokens.prompt,
        completion_tokens=spent.tokens.completion,
        embedding_tokens=spent.tokens.embedding,
        cost_nano_usd=spent.cost,
        status=status,
        error_type=error_type,
        streamed=False,
        started_at=run.created_at,
        ms=int(run.active_seconds * 1000),
    )
    return usage, error
