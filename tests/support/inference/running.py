"""Runs the real inference service, or any app in its place, on a free loopback port, with tokens for it."""

from __future__ import annotations

import asyncio
import base64
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import yaml
from starlette.types import ASGIApp

from contracts.access.delegation import Delegation
from inference.bootstrap import create_app
from inference.dependencies import Dependencies
from inference.settings import InferenceSettings
from servicekit.auth.delegation import DelegationSigner, generate_key_pair
from servicekit.core.settings import ServiceSettings
from servicekit.web.app import server_for

DEADLINE_SECONDS = 600.0
CHAT: dict[str, Any] = {
    "name": "talker",
    "kind": "chat",
    "engine": "scripted",
    "context_length": 256,
    "default": True,
    "source": {
        "places": 1,
        "pace_seconds": 0.01,
        "rules": [
            {"when": "capital of France", "reply": "The capital of France is Paris, on the Seine."},
            {"when": "count for ever", "reply": "one two three four five six seven eight nine ten " * 300},
        ],
    },
}
EMBEDDING: dict[str, Any] = {
    "name": "words",
    "kind": "embedding",
    "engine": "scripted",
    "max_input_tokens": 64,
    "dimensions": 48,
    "default": True,
}
RERANK: dict[str, Any] = {
    "name": "overlap",
    "kind": "rerank",
    "engine": "scripted",
    "max_input_tokens": 64,
    "default": True,
}
READING: dict[str, Any] = {
    "name": "reader",
    "kind": "reading",
    "engine": "scripted",
    "max_input_tokens": 64,
    "default": True,
}

PROJECTION: dict[str, Any] = {
    "name": "words+manuals",
    "kind": "embedding",
    "engine": "projection",
    "source": {
        "projection": {
            "embedding_model": EMBEDDING["name"],
            "dimensions": 48,
            "down": base64.b64encode(np.linspace(-0.01, 0.01, 48 * 2, dtype="<f4").tobytes()).decode(),
            "up": base64.b64encode(np.linspace(0.1, -0.1, 2 * 48, dtype="<f4").tobytes()).decode(),
        }
    },
    "max_input_tokens": 64,
    "dimensions": 48,
}
HEAD: dict[str, Any] = {
    "name": "topics",
    "kind": "classification",
    "engine": "head",
    "source": {
        "head": {
            "labels": ["cars", "boats", "money"],
            "embedding_model": EMBEDDING["name"],
            "weights": base64.b64encode(np.linspace(-2, 2, 3 * 48, dtype="<f4").tobytes()).decode(),
            "bias": [0.5, -0.25, 0.0],
        }
    },
    "default": True,
}
GUARDING: dict[str, Any] = CHAT | {
    "source": {"rules": [{"when": "bomb", "reply": "unsafe\nS1,S9"}, {"when": "", "reply": "safe"}]},
    "context_length": 8192,
}
"""A chat model that answers as Llama Guard does."""
GUARD: dict[str, Any] = {
    "name": "guard",
    "kind": "classification",
    "engine": "judge",
    "source": {"chat_model": "talker"},
    "max_input_tokens": 256,
    "moderation": {"categories": {"unsafe": "illicit", "S1": "violence", "S10": "hate"}},
    "default": True,
}


@dataclass(frozen=True, slots=True)
class Inference:
    """A running service."""

    url: str
    token: str
    session: aiohttp.ClientSession
    dependencies: Dependencies
    sign: Callable[[Delegation], str]

    def token_of(self, *scopes: str, tenant: str = "acme") -> str:
        """Another key's."""
        return self.sign(_claims(*scopes, tenant=tenant))

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self.session.post(self.url + path, json=body, headers=self.headers)

    async def metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        async with self.session.get(f"{self.url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))


def settings_for(folder: Path, models: list[dict[str, Any]], **changes: Any) -> InferenceSettings:
    """Settings over a models file in `folder` that declares `models`."""
    file = folder / f"models-{len(list(folder.iterdir()))}.yaml"
    file.write_text(yaml.safe_dump({"models": models}))
    changes = {"data_dir": folder / f"data-{file.stem}"} | changes
    return InferenceSettings(models_file=file, delegation_public_key_file=folder / "delegation.pub", **changes)


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The base URL of an app while it is served."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()  # who calls before the server runs waits for it
    server = server_for(app, ServiceSettings(shutdown_seconds=2))
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listening.close()


@asynccontextmanager
async def running_inference(
    folder: Path, models: list[dict[str, Any]] | None = None, **changes: Any
) -> AsyncIterator[Inference]:
    """The service, ready, with scripted models unless others are given."""
    private, public = generate_key_pair()
    settings = settings_for(folder, models or [CHAT, EMBEDDING, RERANK], **changes)
    settings.delegation_public_key_file.write_bytes(public)
    signer = DelegationSigner(private)

    def sign(claims: Delegation) -> str:
        return signer.sign(claims, timedelta(hours=1))

    app = create_app(settings)
    async with serving(app) as url, aiohttp.ClientSession() as session:
        await _until_ready(session, url)
        yield Inference(url, sign(_claims("chat")), session, app.state.dependencies, sign)


def _claims(*scopes: str, tenant: str = "acme") -> Delegation:
    return Delegation(audiences=("inference",), tenant=tenant, key_id="key_1", scopes=scopes, request_id="req_1")


async def _until_ready(session: aiohttp.ClientSession, url: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    said = "nothing"
    while time.monotonic() < deadline:
        try:
            async with session.get(f"{url}/readyz") as answer:
                said = await answer.text()
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            said = "no connection"
        await asyncio.sleep(0.05)
    raise AssertionError(f"not ready in {DEADLINE_SECONDS} s: {said}")
