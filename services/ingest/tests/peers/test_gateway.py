from __future__ import annotations

from typing import cast

import pytest
from services.ingest.tests.peers.peers import FakePeer, refused

from ingest.peers.gateway import GatewayPlatform
from servicekit.core.errors import PeerError
from servicekit.peers.client import Peer, PeerAnswer


async def test_a_tenant_s_deletion_is_asked_for_with_the_job_s_right_and_has_time() -> None:
    plane = FakePeer(PeerAnswer(204, {}, b""))
    await GatewayPlatform(cast("Peer", plane)).delete_tenant("token", "acme")
    assert plane.asked == [("POST", "/v1/tenants/acme/purge")]
    assert plane.given[0]["token"] == "token"
    assert plane.given[0]["timeout_seconds"] > plane.timeout_seconds


async def test_a_refusal_is_told() -> None:
    with pytest.raises(PeerError):
        await GatewayPlatform(cast("Peer", FakePeer(refused(403)))).delete_tenant("token", "acme")
