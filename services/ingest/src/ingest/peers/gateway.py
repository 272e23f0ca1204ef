"""The rest of the platform, which only the gateway reaches."""

from __future__ import annotations

from servicekit.peers.client import Peer

DELETE_SECONDS = 300.0


class GatewayPlatform:
    """A `Platform` behind the gateway's model plane."""

    def __init__(self, plane: Peer) -> None:
        self._plane = plane

    async def delete_tenant(self, token: str, tenant: str) -> None:
        """`POST /v1/tenants/{name}/purge`."""
        await self._plane.send("POST", f"/v1/tenants/{tenant}/purge", token=token, timeout_seconds=DELETE_SECONDS)
