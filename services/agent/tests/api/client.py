"""The service's app in this process, over scripts and a real database, asked with the tokens of keys."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx2
from services.agent.tests.runs_bench import Bench

from contracts.access.delegation import Audience, Delegation
from servicekit.auth.delegation import DelegationSigner

ALL_SCOPES = ("chat", "documents", "search", "agents", "agents:write")
GRANT = {"Groundwork-Grant": "grant"}


class Api:
    """Calls as the gateway makes them; what is queued is worked on when told."""

    def __init__(self, bench: Bench, client: httpx2.AsyncClient, signer: DelegationSigner) -> None:
        self.bench, self.client, self._signer = bench, client, signer

    def headers(self, audience: Audience = "agent", **claims: Any) -> dict[str, str]:
        """What proves a key with these claims; by default one of `acme` that may do everything but administer."""
        known = {"tenant": "acme", "key_id": "key_1", "scopes": ALL_SCOPES, "request_id": "req_1", **claims}
        token = self._signer.sign(Delegation(audiences=(audience,), **known), timedelta(hours=1))
        return {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, json: Any = None, **more: Any) -> httpx2.Response:
        """A call of a key with a grant; `more` are claims of its token, `headers` besides, or `content`."""
        headers, content = more.pop("headers", {}), more.pop("content", None)
        body: dict[str, Any] = {"content": content} if json is None else {"json": json}
        sent = {**self.headers(**more), **GRANT, **headers}
        return await self.client.request(method, path, headers=sent, **body)

    async def thread(self, **claims: Any) -> str:
        """The id of a new thread."""
        return str((await self.call("POST", "/v1/threads", {}, **claims)).json()["id"])

    async def run(self, thread: str, text: str = "Do it.", **more: Any) -> dict[str, Any]:
        """A queued run of the agent `helper`."""
        body = {"agent": "helper", "input": text}
        made = await self.call("POST", f"/v1/threads/{thread}/runs", body, **more)
        assert made.status_code == 202, made.text
        return dict(made.json())


def error(response: httpx2.Response) -> tuple[int, str]:
    """Status and code of a refusal, which has words and the request's id."""
    body = response.json()["error"]
    assert body["message"]
    assert body["request_id"] == response.headers["x-request-id"]
    return response.status_code, body["code"]


def events_of(text: str) -> list[tuple[str, str, dict[str, Any]]]:
    """The events of a stream as (id, name, data), without comments and the end."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "data" in fields and fields["data"] != "[DONE]":
            found.append((fields.get("id", ""), fields.get("event", "message"), json.loads(fields["data"])))
    return found
