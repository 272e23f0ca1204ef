from __future__ import annotations

import httpx2
import pytest


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        ("documents", "/v1/collections/handbook", 200),
        ("search", "/v1/collections/handbook", 200),
        ("agents:write", "/v1/collections/handbook", 403),
        ("documents", "/v1/collections/secret", 403),
        ("documents", "/v1/collections/none", 404),
    ],
)
async def test_a_key_sees_what_its_scope_and_its_collections_allow(
    client: httpx2.AsyncClient, scope: str, path: str, status: int
) -> None:
    assert (await client.get(path, headers={"X-Scope": scope})).status_code == status
