"""The gateway in front of the real inference service with scripted models; the other services are stand-ins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.agent.service import reserved, serving
from tests.support.gateway.running import RunningGateway, eventually, running_gateway
from tests.support.inference.running import EMBEDDING, RERANK, settings_for

from inference.bootstrap import create_app

PRICE = {"prompt_usd_per_million": 1, "completion_usd_per_million": 2}
RULES: list[dict[str, Any]] = [
    {"when": "capital of France", "reply": "The capital of France is Paris, on the Seine."},
    {"when": "Result of weather", "reply": "It is sunny in Paris."},
    {"when": "weather", "reply": '{"name": "weather", "arguments": {"city": "Paris"}}'},
    {"when": "count for ever", "reply": "one two three four five six seven eight nine ten " * 300},
    {"when": "mail", "reply": "Write to ada@example.org, please."},
]
TALKER: dict[str, Any] = {
    "name": "talker",
    "kind": "chat",
    "engine": "scripted",
    "context_length": 4096,
    "default": True,
    "price": PRICE,
    "source": {"places": 8, "pace_seconds": 0.002, "rules": RULES},
}
CLERK: dict[str, Any] = {**TALKER, "name": "clerk", "default": False, "context_length": 128}
MODELS = (TALKER, CLERK, EMBEDDING, RERANK)


@asynccontextmanager
async def running_with_inference(
    folder: Path, models: Sequence[dict[str, Any]] = MODELS, **settings: Any
) -> AsyncIterator[RunningGateway]:
    """Chat models `talker` (the default) and `clerk` (a short context), `words` to embed, `overlap` to rerank, unless
    others are given."""
    listener = reserved()
    async with AsyncExitStack() as stack:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        gateway = await stack.enter_async_context(running_gateway(folder, inference_url=url, **settings))
        (inner := folder / "inference").mkdir()
        chosen = settings_for(inner, list(models))
        app = create_app(chosen.model_copy(update={"delegation_public_key_file": folder / "d.pub"}))
        await stack.enter_async_context(serving(app, listener))
        await eventually(lambda: hasattr(app.state, "dependencies"))
        await app.state.dependencies.models.loaded()
        yield gateway
