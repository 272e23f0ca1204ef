"""Documents by URL and in batches: the typed client through the real gateway to ingest's real API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from tests.support.gateway.ingest import gateway_to_ingest
from tests.support.gateway.running import RunningGateway

from contracts.documents.documents import DocumentCreate
from contracts.documents.jobs import Accepted
from groundwork.client import ApiError, Groundwork

URL = "https://example.org/leave.html"
PAGES = {URL: (b"<html><title>Leave</title><p>Ten days.</p></html>", "text/html")}
Result = TypeVar("Result")


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway_to_ingest(tmp_path, PAGES) as running:
        yield running


async def through(gateway: RunningGateway, call: Callable[[Groundwork], Result], key: str | None = None) -> Result:
    def run() -> Result:
        with Groundwork(gateway.url, key or gateway.admin_key) as client:
            return call(client)

    return await asyncio.to_thread(run)


async def test_a_url_is_fetched_before_the_answer(gateway: RunningGateway) -> None:
    accepted = await through(gateway, lambda client: client.documents.add_url("handbook", URL, document_id="leave"))
    assert (accepted.document.id, accepted.document.source, accepted.document.bytes) == ("leave", URL, 49)
    assert accepted.job is not None
    content = await through(gateway, lambda client: client.documents.content("handbook", "leave"))
    assert content == PAGES[URL][0]
    (row,) = await gateway.usage_rows(1)
    assert (row["route"], row["status"]) == ("documents", 202)


async def test_a_refused_url_is_an_error_that_says_what_to_do(gateway: RunningGateway) -> None:
    with pytest.raises(ApiError) as error:
        await through(gateway, lambda client: client.documents.add_url("handbook", "http://169.254.169.254/"))
    assert (error.value.status, error.value.code, error.value.param) == (400, "url_refused", "url")
    assert "upload the file" in error.value.message


async def test_a_batch_has_a_result_for_each_of_its_documents_in_order(gateway: RunningGateway) -> None:
    documents = [
        DocumentCreate(text="One.", document_id="one", metadata={"team": "hr"}),
        DocumentCreate(url="http://10.0.0.1/"),
        DocumentCreate(url=URL),
    ]
    reply = await through(gateway, lambda client: client.documents.add_batch("handbook", documents))
    kinds = [isinstance(result, Accepted) for result in reply.results]
    assert kinds == [True, False, True]
    one, refused, fetched = reply.results
    assert isinstance(one, Accepted)
    assert isinstance(fetched, Accepted)
    assert not isinstance(refused, Accepted)
    assert (one.document.id, one.document.metadata, fetched.document.source) == ("one", {"team": "hr"}, URL)
    assert (refused.error.code, refused.error.param) == ("url_refused", "documents.1.url")
    assert one.job is not None
    assert (await through(gateway, lambda client: client.jobs.get(one.job.id if one.job else ""))).status == "queued"
    again = await through(gateway, lambda client: client.documents.add_batch("handbook", documents[:1]))
    assert isinstance(again.results[0], Accepted)
    assert again.results[0].unchanged


async def test_a_batch_is_limited_by_scope_and_recorded(gateway: RunningGateway) -> None:
    key = await gateway.new_key(scopes=["search"])
    with pytest.raises(ApiError) as error:
        await through(
            gateway,
            lambda client: client.documents.add_batch("handbook", [DocumentCreate(text="One.")]),
            key["secret"],
        )
    assert (error.value.status, error.value.code) == (403, "missing_scope")
    await through(gateway, lambda client: client.documents.add_batch("handbook", [DocumentCreate(text="One.")]))
    (row,) = await gateway.usage_rows(1)
    assert (row["route"], row["status"]) == ("documents", 202)


async def test_a_batch_with_its_idempotency_key_has_one_answer(gateway: RunningGateway) -> None:
    async def send() -> tuple[int, str]:
        answer = await gateway.call(
            "POST",
            "/v1/collections/handbook/documents:batch",
            json={"documents": [{"text": "One."}]},
            headers={"Idempotency-Key": "once"},
        )
        return answer.status, await answer.text()

    assert await send() == await send()
