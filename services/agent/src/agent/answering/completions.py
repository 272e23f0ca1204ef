"""Shapes an answer's events as OpenAI's chunks; a whole completion is the same chunks collected."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from agent.answering.state import Begun, Event, Finished, Piece
from agent.grounding.citations import Citations
from contracts.agents.runs import RunReport
from contracts.models.catalog import rag_collections
from contracts.models.chat import (
    AnswerReport,
    AssistantMessage,
    ChatCompletion,
    ChatCompletionChunk,
    ChatUsage,
    Choice,
    ChunkChoice,
)
from contracts.models.citations import Annotation
from contracts.retrieval.search import Hit
from servicekit.core.errors import UpstreamFailed
from servicekit.core.identifiers import new_id

UNASKED = ("sources", "receipt", "closest", "fields", "abstain")
"""Parts of a report that only some answers have."""


class AnswerBrokeOff(UpstreamFailed):
    """The graph ended without its report."""

    code = "answer_broke_off"

    def __init__(self) -> None:
        super().__init__("The answer ended before it was complete. Ask again.")


async def chunks(
    events: AsyncGenerator[Event], model: str, *, reports: bool = False
) -> AsyncGenerator[ChatCompletionChunk]:
    """The chunks of a stream: role, pieces, the end with the report, then usage. Closes the events with itself.

    With `reports` a report of the sources alone comes before what is said of them: for the record of an answer that may
    never come to its end.
    """
    answer_id, created = new_id("chatcmpl"), int(time.time())

    def chunk(delta: AssistantMessage | None, **more: Any) -> ChatCompletionChunk:
        finish = more.pop("finish_reason", None)
        choices = [] if delta is None else [ChunkChoice(delta=delta, finish_reason=finish)]
        return ChatCompletionChunk(id=answer_id, created=created, model=model, choices=choices, **more)

    end: Finished | None = None
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Begun):
                yield chunk(AssistantMessage(content=""))
                if reports and event.hits:
                    yield chunk(None, groundwork=_report_of(event.hits, model))
            elif isinstance(event, Piece):
                yield chunk(AssistantMessage(role=None, content=event.text, annotations=event.annotations or None))
            else:
                end = event
    if end is None:
        raise AnswerBrokeOff
    yield chunk(AssistantMessage(role=None), finish_reason="stop", groundwork=end.report)
    yield chunk(None, usage=end.usage)


def _report_of(hits: Sequence[Hit], model: str) -> AnswerReport:
    sources, names = Citations().sources(hits), rag_collections(model)
    return AnswerReport(grounded=False, abstained=False, answer_kind="generated", collections=names, sources=sources)


async def collect(stream: AsyncIterator[ChatCompletionChunk]) -> ChatCompletion:
    """The whole answer of a stream."""
    content: list[str] = []
    annotations: list[Annotation] = []
    report: AnswerReport | RunReport | None = None
    finish: str | None = None
    usage = ChatUsage()
    last: ChatCompletionChunk | None = None
    async for chunk in stream:
        last = chunk
        report = chunk.groundwork or report
        usage = chunk.usage or usage
        for choice in chunk.choices:
            finish = choice.finish_reason or finish
            content.append(choice.delta.content or "")
            annotations.extend(choice.delta.annotations or [])
    if last is None:
        raise AnswerBrokeOff
    message = AssistantMessage(content="".join(content), annotations=annotations)
    return ChatCompletion(
        id=last.id,
        created=last.created,
        model=last.model,
        choices=[Choice(message=message, finish_reason=finish or "stop")],
        usage=usage,
        groundwork=report,
    )


def chunk_json(chunk: ChatCompletionChunk) -> dict[str, Any]:
    """A chunk as OpenAI writes it: a delta has only what is new."""
    body = chunk.model_dump(mode="json")
    for choice in body["choices"]:
        choice["delta"] = {key: value for key, value in choice["delta"].items() if value is not None}
        choice.pop("logprobs")
    _drop_unasked(body)
    return {key: value for key, value in body.items() if value is not None or key not in ("usage", "groundwork")}


def completion_json(completion: ChatCompletion) -> dict[str, Any]:
    """A completion as OpenAI writes it."""
    body = completion.model_dump(mode="json")
    for choice in body["choices"]:
        choice["message"].pop("tool_calls")
    _drop_unasked(body)
    return body


def _drop_unasked(body: dict[str, Any]) -> None:
    report = body.get("groundwork")
    if report:
        body["groundwork"] = {key: value for key, value in report.items() if value is not None or key not in UNASKED}
