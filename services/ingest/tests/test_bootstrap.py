from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from services.ingest.tests.conftest import Service

from ingest.bootstrap import create_app
from ingest.settings import IngestSettings
from servicekit.auth.delegation import generate_key_pair
from servicekit.core.errors import NotReady
from servicekit.core.probes import Degraded

LIMIT = 2048
DOCUMENTS = "/v1/collections/handbook/documents"


@pytest.fixture
async def client(service: Service, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """The app over the service's parts."""
    _, public = generate_key_pair()
    (tmp_path / "delegation.pub").write_bytes(public)
    settings = IngestSettings(
        data_dir=tmp_path,
        delegation_public_key_file=tmp_path / "delegation.pub",
        max_upload_bytes=LIMIT,
        max_archive_bytes=4 * LIMIT,
    )
    app = create_app(settings, service.api)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://ingest.test") as opened:
            yield opened


async def test_uploads_are_taken_while_the_retriever_and_the_broker_are_away(
    client: httpx2.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await client.get("/readyz")).status_code == 200

    async def away() -> None:
        raise NotReady("The retriever service is not ready.")

    async def degraded() -> None:
        raise Degraded("Redis is away")

    monkeypatch.setattr(service.index, "probe", away)
    monkeypatch.setattr(service.notifier, "probe", degraded)
    ready = await client.get("/readyz")
    parts = ready.json()["parts"]
    assert ready.status_code == 200
    assert parts["retriever"]["detail"] == (
        "The retriever service is not ready. Uploads are accepted; their jobs wait."
    )
    assert parts["redis"]["detail"] == "Redis is away"
    assert {"database", "blobs", "delegation_key"} < set(parts)


async def test_nothing_is_taken_while_bytes_cannot_be_written(
    client: httpx2.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full() -> None:
        raise NotReady("The disk is full.")

    monkeypatch.setattr(service.blobs, "probe", full)
    assert (await client.get("/readyz")).status_code == 503


@pytest.mark.parametrize(
    ("path", "kind", "size", "status"),
    [
        (DOCUMENTS, "application/json", LIMIT, 401),
        (DOCUMENTS, "application/json", LIMIT + 1, 413),
        (f"{DOCUMENTS}:batch", "application/json", LIMIT + 1, 413),
        (f"{DOCUMENTS}:restore", "application/zip", 4 * LIMIT, 401),
        (f"{DOCUMENTS}:restore", "application/zip", 4 * LIMIT + 1, 413),
        (DOCUMENTS, "multipart/form-data; boundary=x", LIMIT + 1, 413),
    ],
)
async def test_a_body_is_bounded_by_what_it_is(
    client: httpx2.AsyncClient, path: str, kind: str, size: int, status: int
) -> None:
    answer = await client.post(path, content=b"x" * size, headers={"Content-Type": kind})
    assert answer.status_code == status
