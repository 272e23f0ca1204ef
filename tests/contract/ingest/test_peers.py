"""Ingest's clients of the gateway's model plane and of inference, against the real services."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.gateway.running import running_gateway
from tests.support.inference.running import EMBEDDING, running_inference

from gateway.limits.memory_limiter import MemoryLimiter
from ingest.jobs.outcomes import TokenRefused, calling
from ingest.peers.inference import InferenceTokenizers
from servicekit.auth.delegation import DelegationVerifier
from servicekit.auth.grants import GrantExchange
from servicekit.core.clock import SystemClock
from servicekit.core.errors import PeerError
from servicekit.peers.client import Peer, PeerUnreachable, open_session


async def test_a_grant_is_exchanged_kept_and_refused_once_its_key_is_revoked(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, limiter=MemoryLimiter(SystemClock())) as gateway, open_session() as session:
        created = await gateway.new_key(tenant="acme")
        grant = gateway.deps.issuer.grant(await gateway.deps.keys.get_by_id(created["id"]), "req_7")
        tokens = GrantExchange(Peer("gateway", gateway.plane_url, session), "documents")
        token = await tokens.token(grant)
        assert DelegationVerifier(tmp_path / "d.pub").verify(token, "retriever").tenant == "acme"
        assert await tokens.token(grant) == token
        await gateway.call("DELETE", f"/v1/keys/{created['id']}")
        with pytest.raises(PeerError) as refused:
            await tokens.token(grant, fresh=True)
        assert refused.value.code == "key_revoked"
        with pytest.raises(TokenRefused), calling("gateway"):
            await tokens.token("nonsense")


async def test_a_tokenizer_is_fetched_once_and_checked_by_its_etag_by_a_later_process(tmp_path: Path) -> None:
    folder = tmp_path / "tokenizers"
    async with running_inference(tmp_path, [EMBEDDING]) as inference, open_session() as session:
        peer = Peer("inference", inference.url, session)
        tokenizers = InferenceTokenizers(peer, folder)
        tokens = await tokenizers.tokens(inference.token, "words")
        assert tokens.lengths(["one two three"]) >= [3]
        assert await tokenizers.tokens(inference.token, "words") is tokens
        later = await InferenceTokenizers(peer, folder).tokens(inference.token, "words")
        assert later.lengths(["one two three"]) == tokens.lengths(["one two three"])
        away = InferenceTokenizers(Peer("inference", "http://127.0.0.1:1", session), tmp_path / "none")
        with pytest.raises(PeerUnreachable):
            await away.tokens(inference.token, "words")
