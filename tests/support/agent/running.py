"""The gateway in front of a real agent service, whose models are scripted turns behind the gateway's model plane."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse
from tests.support.agent.service import reserved, serving
from tests.support.gateway.running import RunningGateway, running_gateway

from agent.bootstrap import create_app
from agent.settings import AgentSettings
from agent.testing.scripted_agents import ScriptedAgent, Turn, in_turn
from contracts.models.catalog import ModelInfo, ModelList, ModelPrice
from contracts.models.chat import ChatCompletionChunk, ChatRequest
from gateway.limits.memory_limiter import MemoryLimiter
from servicekit.auth.delegation import Caller, DelegationVerifier, require
from servicekit.core.clock import SystemClock
from servicekit.core.identifiers import new_id
from servicekit.streams.sse import DONE, encode
from servicekit.web.error_handlers import install_error_handlers

DEADLINE_SECONDS = 60
PRICE = ModelPrice(prompt_usd_per_million=2, completion_usd_per_million=6)  # type: ignore[arg-type]
MODEL = ModelInfo(id="turns", kind="chat", default=True, context_length=32_768, price=PRICE)

MINI = ModelInfo(id="mini", kind="embedding", default=True, dimensions=3, price=PRICE)
"""What searches are embedded with; here only its price is asked for."""


@dataclass
class RunningAgents:
    """What runs, and the model that it asks."""

    gateway: RunningGateway
    model: ScriptedAgent
    key: str

    def takes(self, *turns: Turn | str) -> None:
        """From now on the model takes these turns."""
        self.model.script = in_turn(*turns)

    async def call(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        """The JSON of a call with the key, which has this status."""
        answer = await self.gateway.call(method, path, options.pop("key", self.key), **options)
        assert answer.status == status, await answer.text()
        return None if status == 204 else await answer.json()

    async def read_record(self, key: str, answer_id: str) -> dict[str, Any]:
        """What is on record of an answer, once it is."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                answer = await self.gateway.call("GET", f"/v1/records/{answer_id}", key)
                if answer.status == 200:
                    found: dict[str, Any] = await answer.json()
                    return found
                assert answer.status == 404, await answer.text()
                await asyncio.sleep(0.02)


def inference(model: ScriptedAgent, public_key: Path) -> FastAPI:
    """An inference service with this one model."""
    app = FastAPI()
    app.state.verifier = DelegationVerifier(public_key)
    install_error_handlers(app)

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    async def models(caller: Annotated[Caller, require("inference")]) -> ModelList:
        return ModelList(data=[model.info, MINI])

    @app.post("/v1/chat/completions")
    async def chat(body: ChatRequest, caller: Annotated[Caller, require("inference")]) -> Response:
        model.script(body)  # what it raises is a refusal, before anything is said
        answer_id = {"id": new_id("chatcmpl")}

        async def stream() -> AsyncIterator[bytes]:
            async with model.chat(body, "") as chunks:
                async for chunk in chunks:
                    yield encode(chunk.model_copy(update=answer_id).model_dump_json())
            yield DONE

        if not body.stream:
            async with model.chat(body, "") as chunks:
                return JSONResponse({**_whole([chunk async for chunk in chunks]), **answer_id})
        return StreamingResponse(stream(), media_type="text/event-stream")

    return app


def _whole(chunks: Sequence[ChatCompletionChunk]) -> dict[str, Any]:
    """The answer that the chunks of a stream make up; calls of tools it has none."""
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    last = chunks[-1].model_dump(mode="json")
    return {**last, "object": "chat.completion", "choices": choices}


def free_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@asynccontextmanager
async def running_agents(
    folder: Path, gateway_settings: Mapping[str, Any] = MappingProxyType({}), **settings: Any
) -> AsyncIterator[RunningAgents]:
    """Gateway, agent service (with `settings`) and scripted model, until the block ends. Redis is not there."""
    model = ScriptedAgent(in_turn("Hello."), MODEL)
    listener = reserved()
    async with (
        serving(inference(model, folder / "d.pub")) as inference_url,
        running_gateway(
            folder,
            limiter=MemoryLimiter(SystemClock()),
            inference_url=inference_url,
            agent_url=f"http://127.0.0.1:{listener.getsockname()[1]}",
            **gateway_settings,
        ) as gateway,
    ):
        chosen = {
            "retriever_url": gateway.deps.settings.retriever_url,
            "gateway_url": gateway.plane_url,
            "redis_url": f"redis://127.0.0.1:{free_port()}/0",
            "delegation_public_key_file": folder / "d.pub",
            "data_dir": folder / "agent",
            "run_poll_seconds": 0.5,
            **settings,
        }
        async with serving(create_app(AgentSettings.model_validate(chosen)), listener):
            made = await gateway.new_key(scopes=["chat", "documents", "search", "agents", "agents:write"])
            yield RunningAgents(gateway, model, made["secret"])
