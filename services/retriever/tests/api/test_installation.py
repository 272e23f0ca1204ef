from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from services.retriever.tests.conftest import TEXTS, Bench

from contracts.access.delegation import INSTALLATION_TENANT, Delegation
from retriever.bootstrap import create_app
from retriever.errors import CollectionNotFound
from retriever.settings import RetrieverSettings
from servicekit.auth.delegation import DelegationSigner, generate_key_pair

Headers = Callable[..., dict[str, str]]


@pytest.fixture
def signer(tmp_path: Path) -> DelegationSigner:
    private, public = generate_key_pair()
    (tmp_path / "delegation.pub").write_bytes(public)
    return DelegationSigner(private)


@pytest.fixture
def headers(signer: DelegationSigner) -> Headers:
    def headers(tenant: str, *scopes: Any) -> dict[str, str]:
        claims = Delegation(audiences=("retriever",), tenant=tenant, key_id="k", scopes=scopes, request_id="r")
        return {"Authorization": f"Bearer {signer.sign(claims, timedelta(minutes=5))}"}

    return headers


@pytest.fixture
async def client(bench: Bench, signer: DelegationSigner, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    await bench.index(await bench.create(), "d", 1, TEXTS)
    app = create_app(RetrieverSettings(delegation_public_key_file=tmp_path / "delegation.pub"), bench.parts)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://retriever.test") as opened:
            yield opened


async def test_a_backup_is_given_to_the_installation_s_administrator_alone(
    client: httpx2.AsyncClient, headers: Headers
) -> None:
    answer = await client.get("/v1/backup", headers=headers(INSTALLATION_TENANT, "admin"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-tar")
    with tarfile.open(fileobj=io.BytesIO(answer.content + bytes(1024))) as tar:
        names = tar.getnames()
    assert names[-1] == "retriever/end.json"
    assert any(name.startswith("retriever/points/") for name in names)
    for other in (headers("acme", "admin"), headers(INSTALLATION_TENANT, "documents"), {}):
        assert (await client.get("/v1/backup", headers=other)).status_code in (401, 403)


async def test_a_tenant_is_purged_by_its_own_administrator_and_no_other_is_touched(
    client: httpx2.AsyncClient, headers: Headers, bench: Bench
) -> None:
    await bench.create(tenant="globex")
    for refused in (headers("globex", "admin"), headers("acme", "documents")):
        assert (await client.post("/v1/tenants/acme/purge", headers=refused)).status_code == 403
    await bench.parts.collection_repository.get_collection("acme", "handbook")
    await bench.parts.collection_repository.begin_deletion("acme", "handbook")
    for _ in range(2):
        assert (await client.post("/v1/tenants/acme/purge", headers=headers("acme", "admin"))).status_code == 204
    assert len(await bench.parts.store.list_generations()) == 1
    await bench.parts.collection_repository.get_collection("globex", "handbook")
    with pytest.raises(CollectionNotFound):
        await bench.parts.collection_repository.get_collection("acme", "handbook")
