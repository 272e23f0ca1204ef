from __future__ import annotations

import httpx2
import pytest

from gateway.bootstrap import MULTIPART_BYTES, _body_limit, create_metrics_app
from gateway.settings import GatewaySettings
from servicekit.web.body_limits import Streamed

DOCUMENTS = "/v1/collections/handbook/documents"
SMALL, FORM = "application/json", "multipart/form-data"


@pytest.mark.parametrize(
    ("path", "media_type", "most", "streamed"),
    [
        (DOCUMENTS, FORM, 1000 + MULTIPART_BYTES, True),
        (DOCUMENTS, SMALL, 2000, False),
        (f"{DOCUMENTS}:batch", FORM, 2000, False),
        (f"{DOCUMENTS}/a/b", FORM, 2000, False),
        (f"{DOCUMENTS}:restore", "application/zip", 5000, True),
        (f"{DOCUMENTS}:restore", SMALL, 5000, True),
        ("/v1/chat/completions", FORM, 2000, False),
        ("/v1/collections/a/b/documents", FORM, 2000, False),
    ],
)
def test_only_files_may_be_larger_than_other_bodies_and_only_where_they_are_streamed_on(
    path: str, media_type: str, most: int, streamed: bool
) -> None:
    settings = GatewaySettings(max_upload_bytes=1000, max_body_bytes=2000, max_archive_bytes=5000)
    limit = _body_limit(settings)(path, media_type)
    assert (limit, isinstance(limit, Streamed)) == (most, streamed)


INSIDE = ("/v1/tokens", "/v1/spent", "/v1/learnt", "/v1/runs/ended", "/v1/tenants/acme/purge")
"""Calls of the model plane, which is never public."""


async def test_no_port_serves_anothers_calls(admin: httpx2.AsyncClient, plane: httpx2.AsyncClient) -> None:
    for path in INSIDE:
        assert (await admin.post(path, json={})).status_code == 404
        assert (await plane.post(path, json={})).status_code in (401, 422)
    assert (await admin.get("/v1/keys")).status_code == 200
    assert (await plane.get("/v1/keys")).status_code == 404
    for client in (admin, plane):
        assert (await client.get("/metrics")).status_code == 404


async def test_metrics_are_alone_on_their_port() -> None:
    transport = httpx2.ASGITransport(create_metrics_app())
    async with httpx2.AsyncClient(transport=transport, base_url="http://metrics.test") as client:
        assert (await client.get("/metrics")).status_code == 200
        for path in ("/v1/keys", "/healthz", "/openapi.json", "/docs"):
            assert (await client.get(path)).status_code == 404
