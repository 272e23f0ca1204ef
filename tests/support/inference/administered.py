"""Inference on loopback, and the calls that the gateway makes of it for an administrator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.inference.running import Inference, running_inference

from contracts.access.delegation import INSTALLATION_TENANT, Delegation
from servicekit.auth.delegation import DelegationSigner, generate_key_pair

DEADLINE = 120


class Admin:
    """The gateway, for an administrator."""

    def __init__(self, service: Inference, token: str, folder: Path) -> None:
        self.service, self.folder = service, folder
        self._headers = {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        url = f"{self.service.url}/v1/models/{path}"
        async with self.service.session.request(method, url, json=body, headers=self._headers) as answer:
            return answer.status, await answer.json()

    async def pull(self, body: Any) -> Any:
        status, job = await self.call("POST", "pull", body)
        assert status == 202, job
        return job

    async def refused(self, body: Any) -> tuple[int, str, str]:
        status, answer = await self.call("POST", "pull", body)
        assert "error" in answer, answer
        return status, answer["error"]["code"], answer["error"]["message"]

    async def until(self, job: str, condition: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(DEADLINE):
            while not condition(found := (await self.call("GET", f"pull/{job}"))[1]):  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # it has no event
        return found

    async def ended(self, job: Any) -> Any:
        return await self.until(job["id"], lambda found: found["status"] in ("ready", "failed", "cancelled"))

    def halves(self) -> list[Path]:
        return list(self.folder.rglob("*.incomplete"))


@asynccontextmanager
async def administered(
    folder: Path, hub: str, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> AsyncIterator[Admin]:
    private, public = generate_key_pair()
    monkeypatch.setattr("tests.support.inference.running.generate_key_pair", lambda: (private, public))
    claims = Delegation(
        audiences=("inference",), tenant=INSTALLATION_TENANT, key_id="gateway", scopes=("admin", "chat"), request_id="r"
    )
    token = DelegationSigner(private).sign(claims, timedelta(hours=1))
    chosen = {"models_dir": folder / "models", "hub_url": hub, "data_dir": folder / "data", **settings}
    async with running_inference(folder, **chosen) as service:
        yield Admin(service, token, folder / "models")
