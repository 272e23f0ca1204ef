"""`POST /v1/chat/completions`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Request
from fastapi.responses import Response

from contracts.models.chat import ChatCompletion, ChatRequest
from inference.api.access import Deps
from inference.api.event_stream import EventStream
from inference.catalog.models_file import Model
from inference.errors import ModelNotAllowed
from inference.protocol import codec
from inference.serving.chat import ChatStream, complete_answer
from servicekit.auth.delegation import Caller, require
from servicekit.streams.disconnect import disconnected, while_connected
from servicekit.web.router import Router

router = Router(tags=["chat"])


@router.post("/v1/chat/completions", response_model=ChatCompletion)
async def chat(
    body: ChatRequest,
    request: Request,
    caller: Annotated[Caller, require("inference", "chat", "agents", "evaluations:write")],
    deps: Deps,
) -> Response:
    """Answer a conversation, whole or (`stream`) as server-sent events. A tuning job asks what it has learnt, too."""
    served = deps.models.visible_to(caller.tenant).chat(body.model)
    if not caller.delegation.allows_model(_right_to(served.model)):
        raise ModelNotAllowed(served.name)
    if not body.stream:
        async with while_connected(disconnected(request.receive)):
            answer = await complete_answer(served, body)
        return Response(codec.write(answer), media_type="application/json", headers=served.version.headers())
    stream = ChatStream(served, body, request.state.request_id)
    try:
        async with while_connected(disconnected(request.receive)):
            await stream.begin()
    except BaseException:
        await stream.close()
        raise
    return EventStream(stream, deps.reader_seconds)


def _right_to(model: Model) -> str:
    """The model that a key must be allowed: a candidate is asked by the job alone that may tune its parent."""
    is_candidate = model.tuned is not None and model.tuned.stage == "candidate"
    return model.tuned.parent if model.tuned is not None and is_candidate else model.name
