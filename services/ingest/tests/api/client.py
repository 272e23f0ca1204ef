"""The app over fakes, as its tests call it."""

from __future__ import annotations

import asyncio
import io
from datetime import timedelta
from typing import Any

from starlette.testclient import TestClient

from contracts.access.delegation import Audience, Delegation
from ingest.testing.notifier import MemoryNotifier
from ingest.worker.bootstrap import WorkerDependencies
from servicekit.auth.delegation import DelegationSigner

DOCUMENTS = "/v1/collections/handbook/documents"


LIMIT = 4096


class Api:
    """The app over fakes, in TestClient's own event loop, with a worker that runs when told."""

    def __init__(
        self, client: TestClient, signer: DelegationSigner, worker: WorkerDependencies, notifier: MemoryNotifier
    ) -> None:
        self.client, self.signer, self.worker, self.notifier = client, signer, worker, notifier

    def headers(self, tenant: str = "acme", audience: Audience = "ingest", **claims: Any) -> dict[str, str]:
        claims = {"scopes": ("documents", "search"), **claims}
        delegation = Delegation(audiences=(audience,), tenant=tenant, key_id=f"k-{tenant}", request_id="r", **claims)
        token = self.signer.sign(delegation, timedelta(hours=1))
        return {"Authorization": f"Bearer {token}", "Groundwork-Grant": "grant"}

    def call(self, method: str, path: str, **more: Any) -> Any:
        headers = {**self.headers(), **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def text(self, text: str = "The word.", **more: Any) -> Any:
        return self.call("POST", DOCUMENTS, json={"text": text, **more})

    def file(self, name: str, content: bytes, kind: str = "application/octet-stream", **more: Any) -> Any:
        return self.call("POST", DOCUMENTS, files={"file": (name, io.BytesIO(content), kind)}, **more)

    def work(self) -> None:
        async def run() -> None:
            while claimed := await self.worker.queue.claim("worker"):
                await self.worker.runner.run(claimed, asyncio.Event())

        assert self.client.portal is not None
        self.client.portal.call(run)


def error(response: Any) -> tuple[int, str]:
    body = response.json()["error"]
    assert body["message"]
    assert body["request_id"] == response.headers["x-request-id"]
    return response.status_code, body["code"]
