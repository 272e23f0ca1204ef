"""What a gateway in Python usually is, for `make bench-gateway`: FastAPI, pydantic and httpx, without any policy.

`python -m benchmarks.gateway.gateway_proxy UPSTREAM_URL PORT`
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from fastapi import FastAPI
from fastapi.responses import Response, StreamingResponse

from contracts.models.chat import ChatRequest


def proxy(upstream: str) -> FastAPI:
    """The app."""
    client = httpx.AsyncClient(base_url=upstream, timeout=60, limits=httpx.Limits(max_connections=256))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/chat/completions")
    async def complete(body: ChatRequest) -> Response:
        request = client.build_request("POST", "/v1/chat/completions", json=body.model_dump(exclude_unset=True))
        answer = await client.send(request, stream=True)
        if body.stream:
            return StreamingResponse(_events(answer), media_type="text/event-stream")
        content = await answer.aread()
        await answer.aclose()
        return Response(content, answer.status_code, media_type="application/json")

    return app


async def _events(answer: httpx.Response) -> AsyncIterator[str]:
    async for line in answer.aiter_lines():
        yield line + "\n"
    await answer.aclose()


if __name__ == "__main__":
    uvicorn.run(proxy(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
