"""The retriever's app in this process, asked with tokens of a scope."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from services.retriever.tests.conftest import TEXTS, Bench

from contracts.access.delegation import Delegation, Scope
from retriever.bootstrap import create_app
from retriever.settings import RetrieverSettings
from servicekit.auth.delegation import DelegationSigner, generate_key_pair


@pytest.fixture
async def client(bench: Bench, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    await bench.index(await bench.create(), "d", 1, TEXTS)
    private, public = generate_key_pair()
    (tmp_path / "delegation.pub").write_bytes(public)
    app = create_app(RetrieverSettings(delegation_public_key_file=tmp_path / "delegation.pub"), bench.parts)
    signer = DelegationSigner(private)

    def token(request: httpx2.Request) -> httpx2.Request:
        scope: Scope = request.headers.get("X-Scope", "documents")
        claims = Delegation(
            audiences=("retriever",),
            tenant="acme",
            key_id="k",
            scopes=(scope,),
            collections=("handbook", "none", "new"),
            request_id="req_1",
        )
        request.headers["Authorization"] = f"Bearer {signer.sign(claims, timedelta(minutes=5))}"
        return request

    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://retriever.test", auth=token) as opened:
            yield opened
