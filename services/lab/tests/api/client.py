"""The lab's app in this process, asked with the tokens of keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx2

from contracts.access.delegation import Audience, Delegation
from servicekit.auth.delegation import DelegationSigner

SCOPES = ("evaluations:read", "evaluations:write")


class Api:
    """Calls as the gateway makes them."""

    def __init__(self, client: httpx2.AsyncClient, signer: DelegationSigner) -> None:
        self.client, self._signer = client, signer

    async def call(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        audience: Audience = "lab",
        grant: str = "",
        key: str = "",
        **claims: Any,
    ) -> httpx2.Response:
        """A call of a key with these claims; by default one of `acme` that may read and write."""
        known = {"tenant": "acme", "key_id": "key_1", "scopes": SCOPES, "request_id": "req_1", **claims}
        token = self._signer.sign(Delegation(audiences=(audience,), **known), timedelta(hours=1))
        headers = {"Authorization": f"Bearer {token}", **({"Groundwork-Grant": grant} if grant else {})}
        headers |= {"Idempotency-Key": key} if key else {}
        return await self.client.request(method, path, headers=headers, json=json)


def error(response: httpx2.Response) -> tuple[int, str]:
    """Status and code of a refusal, which has words and the request's id."""
    body = response.json()["error"]
    assert body["message"]
    assert body["request_id"] == response.headers["x-request-id"]
    return response.status_code, body["code"]
