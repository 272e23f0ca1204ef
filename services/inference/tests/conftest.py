"""Fixtures of inference's unit tests: scripted models, signed tokens, no sockets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_socket import disable_socket
from starlette.testclient import TestClient

from contracts.access.delegation import INSTALLATION_TENANT, Delegation
from inference.bootstrap import create_app
from inference.metrics import RUNNING, WAITING, WAITING_TOKENS
from inference.settings import InferenceSettings
from servicekit.auth.delegation import DelegationSigner, generate_key_pair

CHAT = {
    "name": "talker",
    "kind": "chat",
    "engine": "scripted",
    "context_length": 64,
    "default": True,
    "price": {"prompt_usd_per_million": 1, "completion_usd_per_million": "2.5"},
    "source": {"rules": [{"when": "capital of France", "reply": "Paris is the capital."}]},
}
EMBEDDING = {
    "name": "words",
    "kind": "embedding",
    "engine": "scripted",
    "max_input_tokens": 16,
    "dimensions": 32,
    "default": True,
}
RERANK = {"name": "overlap", "kind": "rerank", "engine": "scripted", "max_input_tokens": 64, "default": True}


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    disable_socket(allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _no_count_stays() -> Iterator[None]:
    """Gauges are the process's: what a test's queue still held at its end would be seen by later tests."""
    yield
    for gauge in (RUNNING, WAITING, WAITING_TOKENS):
        gauge.clear()


class Running:
    """An app with scripted models, and tokens for it."""

    def __init__(self, client: TestClient, signer: DelegationSigner) -> None:
        self.client = client
        self._signer = signer

    def headers(
        self,
        audience: str = "inference",
        models: tuple[str, ...] | None = None,
        tenant: str = "acme",
        scopes: tuple[str, ...] = ("chat",),
    ) -> dict[str, str]:
        claims = Delegation(
            audiences=(audience,),  # type: ignore[arg-type]
            tenant=tenant,
            key_id="key_1",
            scopes=scopes,  # type: ignore[arg-type]
            models=models,
            request_id="req_1",
        )
        return {"Authorization": f"Bearer {self._signer.sign(claims, timedelta(minutes=5))}"}

    def installation(self) -> dict[str, str]:
        """What the gateway sends for an administrator."""
        claims = Delegation(
            audiences=("inference",), tenant=INSTALLATION_TENANT, key_id="gateway", scopes=("admin",), request_id="r"
        )
        return {"Authorization": f"Bearer {self._signer.sign(claims, timedelta(minutes=5))}"}

    def post(self, path: str, body: dict[str, Any], **kwargs: Any) -> Any:
        return self.client.post(path, json=body, headers=self.headers(**kwargs))

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers=self.headers() | headers)

    def until_ready(self) -> None:
        pause = threading.Event()
        for _ in range(6000):
            if self.client.get("/readyz").status_code == 200:
                return
            pause.wait(0.01)
        raise AssertionError(self.client.get("/readyz").text)


StartApp = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartApp]:
    """Start an app over the given models."""
    opened: list[TestClient] = []
    private, public = generate_key_pair()

    def start(*models: dict[str, Any], **settings: Any) -> Running:
        (tmp_path / "delegation.pub").write_bytes(public)
        (tmp_path / "models.yaml").write_text(yaml.safe_dump({"models": list(models)}))
        app = create_app(
            InferenceSettings(
                models_file=tmp_path / "models.yaml",
                data_dir=tmp_path / "data",
                delegation_public_key_file=tmp_path / "delegation.pub",
                **settings,
            )
        )
        client = TestClient(app, raise_server_exceptions=False)
        client.__enter__()
        opened.append(client)
        return Running(client, DelegationSigner(private))

    yield start
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def declared() -> dict[str, dict[str, Any]]:
    """A scripted model of each kind, as a models file declares it."""
    return {"chat": dict(CHAT), "embedding": dict(EMBEDDING), "rerank": dict(RERANK)}


@pytest.fixture
def running(start: StartApp) -> Running:
    """An app with one scripted model of each kind, ready."""
    app = start(CHAT, EMBEDDING, RERANK)
    app.until_ready()
    return app
