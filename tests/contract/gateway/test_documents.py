"""Collections, documents and jobs through the gateway: streamed, bounded, held to the key's tenant and scopes."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest
from tests.support.gateway.running import RunningGateway, eventually, running_gateway

from servicekit.auth.delegation import DelegationVerifier

MIB = 1024 * 1024
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
DOCUMENTS = "/v1/collections/handbook/documents"
BODIES = {"POST": {"name": "x"}, "PATCH": {"rerank": True}}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running_gateway(tmp_path, max_upload_bytes=64 * MIB) as running:
        yield running


async def _pieces(count: int, size: int = MIB) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


async def test_an_upload_streams_through_with_a_grant_and_its_idempotency_key(
    gateway: RunningGateway, tmp_path: Path
) -> None:
    form = aiohttp.FormData()
    form.add_field("file", b"the text", filename="a.txt")
    answer = await gateway.call(
        "POST", DOCUMENTS, data=form, headers={"Idempotency-Key": "once", "Cookie": "a=b", "X-Forwarded-For": "1.1.1.1"}
    )
    assert answer.status == 202
    sent = gateway.seen.last("ingest")
    assert sent["body"] > len(b"the text")
    assert sent["headers"]["content-type"].startswith("multipart/form-data; boundary=")
    assert sent["headers"]["idempotency-key"] == "once"
    assert not {"cookie", "x-forwarded-for"} & set(sent["headers"])
    assert gateway.admin_key not in str(sent["headers"])
    grant = DelegationVerifier(tmp_path / "d.pub").verify(sent["headers"]["groundwork-grant"], "grants")
    assert (grant.tenant, grant.key_id) == ("default", "key_admin")
    (row,) = await gateway.usage_rows(1)
    assert (row["route"], row["status"], row["cost_nano_usd"]) == ("documents", 202, 0)


async def test_reading_calls_carry_no_grant_and_are_not_recorded(gateway: RunningGateway) -> None:
    await gateway.call("GET", f"{DOCUMENTS}/d1/content?revision=2&evil=1")
    sent = gateway.seen.last("ingest")
    assert "groundwork-grant" not in sent["headers"]
    assert sent["query"] == {"revision": "2"}
    await gateway.call("DELETE", "/v1/collections/handbook")
    assert "groundwork-grant" in gateway.seen.last("ingest")["headers"]
    assert [row["route"] for row in await gateway.usage_rows(1)] == ["collections"]


async def test_a_download_passes_with_the_named_headers_only(gateway: RunningGateway) -> None:
    answer = await gateway.call("GET", f"{DOCUMENTS}/d1/content")
    assert await answer.text() == "bytes of d1"
    assert answer.headers["Content-Disposition"] == "attachment; filename=a.txt"
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Server-Secret" not in answer.headers


async def test_a_picture_of_a_page_passes_with_its_boxes_and_is_not_sent_twice(gateway: RunningGateway) -> None:
    page = f"{DOCUMENTS}/d1/pages/7.png"
    answer = await gateway.call("GET", f"{page}?spans=3-9&revision=2&evil=1")
    assert (await answer.text(), answer.headers["Content-Type"]) == ("a picture", "image/png")
    assert answer.headers["X-Groundwork-Boxes"] == "[[1,2,3,4]]"
    assert gateway.seen.last("ingest")["query"] == {"spans": "3-9", "revision": "2"}
    again = await gateway.call("GET", page, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, await again.text(), again.headers["ETag"]) == (304, "", '"7"')
    calls = len(gateway.seen.calls)
    for number in ("0", "x"):
        assert (await gateway.call("GET", f"{DOCUMENTS}/d1/pages/{number}.png")).status == 404
    assert len(gateway.seen.calls) == calls, "no such page can be"


async def test_an_inner_error_keeps_its_words_and_gets_our_request_id(gateway: RunningGateway) -> None:
    answer = await gateway.call("GET", f"{DOCUMENTS}/missing/content", headers={"X-Request-Id": "mine-9"})
    error = (await answer.json())["error"]
    assert (answer.status, error["message"]) == (404, "There is no document 'missing'.")
    assert error["request_id"] == answer.headers["X-Request-Id"] == "mine-9"


async def test_an_oversize_upload_is_refused_at_once_by_its_declared_length(gateway: RunningGateway) -> None:
    answer = await gateway.call("POST", DOCUMENTS, data=io.BytesIO(b"x" * (65 * MIB)))
    error = (await answer.json())["error"]
    assert (answer.status, error["type"], error["code"]) == (413, "invalid_request", "too_large")
    assert not gateway.seen.calls


async def test_an_oversize_upload_without_length_is_refused_while_it_streams_and_never_held_in_memory(
    gateway: RunningGateway,
) -> None:
    process = psutil.Process()
    before, peak = process.memory_info().rss, 0

    async def watched() -> AsyncIterator[bytes]:
        nonlocal peak
        async for piece in _pieces(80):
            peak = max(peak, process.memory_info().rss)
            yield piece

    answer = await gateway.call("POST", DOCUMENTS, data=watched(), headers=MULTIPART)
    assert (answer.status, (await answer.json())["error"]["code"]) == (413, "too_large")
    assert peak - before < 32 * MIB  # 80 MiB went through client, gateway and ingest, all in this process
    again = await gateway.call("GET", f"{DOCUMENTS}/d1/content")  # on the same connections
    assert again.status == 200


async def test_an_upload_that_is_refused_before_it_is_read_leaves_nothing_behind(gateway: RunningGateway) -> None:
    await gateway.call("POST", "/v1/collections/closed/documents", data=_pieces(1), headers=MULTIPART)
    tasks = len(asyncio.all_tasks())
    for _ in range(10):
        answer = await gateway.call("POST", "/v1/collections/closed/documents", data=_pieces(8), headers=MULTIPART)
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "not_found")
    await eventually(lambda: len(asyncio.all_tasks()) <= tasks)


async def test_json_is_read_whole_and_so_may_be_less(gateway: RunningGateway) -> None:
    answer = await gateway.call("POST", DOCUMENTS, data=_pieces(17), headers={"Content-Type": "application/json"})
    error = (await answer.json())["error"]
    assert (answer.status, error["code"]) == (413, "too_large")
    assert "as a file" in error["message"]


async def test_an_upload_at_the_limit_passes(gateway: RunningGateway) -> None:
    answer = await gateway.call("POST", DOCUMENTS, data=_pieces(64), headers=MULTIPART)
    assert answer.status == 202
    assert gateway.seen.last("ingest")["body"] == 64 * MIB


async def test_other_bodies_are_bounded(gateway: RunningGateway) -> None:
    answer = await gateway.call("POST", "/v1/chat/completions", data=_pieces(17))
    assert (answer.status, (await answer.json())["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "path", ["/v1/collections/..%2Fhandbook", f"{DOCUMENTS}/%2e%2e", f"{DOCUMENTS}/a%2Fb", "/v1/collections/UPPER"]
)
async def test_no_path_reaches_an_inner_service_that_is_not_in_the_table(gateway: RunningGateway, path: str) -> None:
    from yarl import URL

    async with gateway.session.get(
        URL(gateway.url + path, encoded=True), headers={"Authorization": f"Bearer {gateway.admin_key}"}
    ) as answer:
        code = (await answer.json())["error"]["code"]
        assert (answer.status, code) == ((400, "path_spelling") if "%" in path else (404, code))
    assert not gateway.seen.calls


@pytest.mark.parametrize(
    ("scopes", "method", "path", "allowed"),
    [
        (["documents"], "GET", f"{DOCUMENTS}/d1/content", True),
        (["search"], "GET", f"{DOCUMENTS}/d1/content", True),
        (["chat"], "GET", f"{DOCUMENTS}/d1/content", False),
        (["search"], "DELETE", "/v1/collections/handbook", False),
        (["search"], "PATCH", "/v1/collections/handbook", False),
        (["documents"], "PATCH", "/v1/collections/handbook", True),
        (["documents"], "POST", "/v1/collections/handbook/search", False),
        (["search", "documents"], "POST", "/v1/chat/completions", False),
        (["documents"], "POST", "/v1/embeddings", False),
        (["chat", "search", "documents", "agents"], "GET", "/v1/keys", False),
        (["chat", "search", "documents", "agents"], "POST", "/v1/tenants", False),
    ],
)
async def test_scopes_hold_on_every_call(
    gateway: RunningGateway, scopes: list[str], method: str, path: str, allowed: bool
) -> None:
    key = await gateway.new_key(scopes=scopes)
    answer = await gateway.call(method, path, key["secret"], json=BODIES.get(method))
    if allowed:
        assert answer.status == 200
    else:
        error = (await answer.json())["error"]
        assert (answer.status, error["code"]) == (403, "missing_scope")
        assert "scope" in error["message"]


async def test_a_key_acts_in_its_own_tenant_only(gateway: RunningGateway) -> None:
    key = await gateway.new_key(tenant="acme", collections=["handbook"])
    await gateway.call("GET", f"{DOCUMENTS}/d1/content", key["secret"], headers={"X-Tenant": "default"})
    delegation = gateway.seen.last("ingest")["delegation"]
    assert (delegation.tenant, delegation.collections) == ("acme", ("handbook",))


async def test_an_upload_may_take_longer_than_its_answer(gateway: RunningGateway) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(5):
            await asyncio.sleep(0)
            yield b"x" * 10

    answer = await gateway.call("POST", DOCUMENTS, data=slowly())
    assert answer.status == 202
    assert gateway.seen.last("ingest")["body"] == 50
