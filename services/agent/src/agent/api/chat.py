"""`POST /v1/chat/completions` for `rag:` and `agent:` models."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import structlog
from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from agent.answering.completions import chunk_json, chunks, collect, completion_json
from agent.answering.graph import Answering
from agent.api import run_completions
from agent.api.access import Grant, principal
from agent.dependencies import AgentRuntime
from agent.metrics import ANSWER_FAILURES, FAILURES
from agent.questions.conversation import read_conversation
from agent.threads.repository import Viewer
from contracts.agents.mcp import REPORT_HEADER
from contracts.core.errors import ErrorEnvelope
from contracts.models.catalog import AGENT
from contracts.models.chat import TOOLS_IGNORED, ChatCompletion, ChatCompletionChunk, ChatRequest
from servicekit.auth.delegation import Caller, require
from servicekit.core.errors import Internal, ServiceError
from servicekit.streams.disconnect import CallerLeft, disconnected, while_connected
from servicekit.streams.sse import DONE, HEADERS, MEDIA_TYPE, encode, encode_error
from servicekit.telemetry.metrics import known_label
from servicekit.web.router import Router

log = structlog.get_logger(__name__)

router = Router(tags=["answers"])
KEEPALIVE = b": waiting\n\n"
Reports = Annotated[str | None, Header(alias=REPORT_HEADER, max_length=10)]
"""Whether an answer tells what its record names before it says anything of that."""


def answering(request: Request) -> Answering:
    """The service's answer graph with its dependencies."""
    found: Answering = request.app.state.dependencies.answering
    return found


@router.post(
    "/v1/chat/completions",
    response_model=ChatCompletion,
    responses={code: {"model": ErrorEnvelope} for code in (400, 401, 403, 404, 422, 429, 502, 503, 504)},
)
async def complete(
    body: ChatRequest,
    request: Request,
    caller: Annotated[Caller, require("agent", "chat")],
    answers: Annotated[Answering, Depends(answering)],
    grant: Grant = None,
    reports: Reports = None,
) -> Response:
    """Answer the last user message from the collections, or let an agent do so; streamed or whole."""
    request_id: str = request.state.request_id
    if body.model.startswith(AGENT):
        stream = await _run(request, body, caller, grant, reports=reports is not None)
    else:
        conversation = read_conversation(body, caller.delegation)
        events = answers.events(conversation, body, caller.token, request_id)
        stream = chunks(events, body.model, reports=reports is not None)
    try:
        if not body.stream:
            async with while_connected(disconnected(request.receive)), aclosing(stream):
                return JSONResponse(completion_json(await collect(stream)))
        first = await anext(stream)
    except CallerLeft:
        raise
    except ServiceError as error:
        ANSWER_FAILURES.labels(known_label(error.code, FAILURES)).inc()
        raise
    usage = body.stream_options is not None and body.stream_options.include_usage
    quiet = answers.settings.keepalive_seconds
    return StreamingResponse(_sse(first, stream, usage, quiet, request_id), media_type=MEDIA_TYPE, headers=HEADERS)


async def _run(
    request: Request, body: ChatRequest, caller: Caller, grant: str | None, *, reports: bool
) -> AsyncGenerator[ChatCompletionChunk]:
    """The chunks of an agent's run."""
    caller.require("agents")
    agents: AgentRuntime = request.app.state.dependencies.agents
    run, agent = await run_completions.start(agents, Viewer.of(caller.delegation), principal(caller, grant), body)
    degraded = (TOOLS_IGNORED,) if body.offers_tools() else ()
    return run_completions.chunks(agents, run, agent, body.model, degraded, reports=reports)


async def _sse(
    first: ChatCompletionChunk,
    stream: AsyncGenerator[ChatCompletionChunk],
    usage: bool,
    quiet: float,
    request_id: str,
) -> AsyncGenerator[bytes]:
    async with aclosing(stream), aclosing(_with_silences(stream, quiet)) as heard:
        yield _line(first)
        try:
            async for chunk in heard:
                if chunk is None:
                    yield KEEPALIVE
                elif chunk.choices or usage or chunk.groundwork is not None:
                    yield _line(chunk)
        except ServiceError as error:
            ANSWER_FAILURES.labels(known_label(error.code, FAILURES)).inc()
            log.warning("stream failed", code=error.code)
            yield encode_error(error, request_id)
            return
        except Exception:  # headers are sent: the error handlers of the app can't answer any more
            log.exception("stream failed")
            ANSWER_FAILURES.labels("other").inc()
            yield encode_error(
                Internal("Something failed on our side. Give the request id to your operator."), request_id
            )
            return
        yield DONE


async def _with_silences(
    stream: AsyncGenerator[ChatCompletionChunk], quiet: float
) -> AsyncGenerator[ChatCompletionChunk | None]:
    """The chunks, and None each time that nothing came for `quiet` seconds."""
    while True:
        coming = asyncio.ensure_future(anext(stream, None))
        try:
            while not (await asyncio.wait((coming,), timeout=quiet))[0]:
                yield None
            chunk = coming.result()
        finally:
            if not coming.done():
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
        if chunk is None:
            return
        yield chunk


def _line(chunk: ChatCompletionChunk) -> bytes:
    return encode(json.dumps(chunk_json(chunk), ensure_ascii=False, separators=(",", ":")))
