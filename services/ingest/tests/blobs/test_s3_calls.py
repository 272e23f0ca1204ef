from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from pydantic import SecretStr
from services.ingest.tests.blobs.buckets import MemoryBucket, calls_of, client_error

from ingest.blobs import s3_calls
from ingest.blobs.s3_calls import S3Calls, code_of, translated
from ingest.blobs.s3_location import S3Place
from ingest.errors import BlobMissing, BlobStoreAway

URL = "http://key@s3.intra/bucket"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Calls]:
    calls = calls_of(MemoryBucket(), monkeypatch)
    yield calls
    calls.close()


@pytest.mark.parametrize(
    ("error", "says", "settled"),
    [
        (client_error("NoSuchBucket", 404), "no such bucket (INGEST_BLOBS_URL)", True),
        (client_error("SignatureDoesNotMatch", 403), "refuses these credentials", True),
        (client_error("ExpiredToken", 401), "refuses these credentials", True),
        (client_error("SlowDown", 503), "answers with an error (SlowDown)", True),
        (NoCredentialsError(), "INGEST_S3_ACCESS_KEY_ID", True),
        (EndpointConnectionError(endpoint_url=URL), "can't be reached (EndpointConnectionError)", True),
        (ConnectTimeoutError(endpoint_url=URL), "can't be reached", True),
        (ReadTimeoutError(endpoint_url=URL), "can't be reached (ReadTimeoutError)", False),  # it may yet be done
    ],
)
def test_a_failure_says_what_to_mend_whether_it_is_over_and_names_no_host(
    error: BotoCoreError | ClientError, says: str, settled: bool
) -> None:
    away = translated(error)
    assert isinstance(away, BlobStoreAway)
    assert says in away.message
    assert "s3.intra" not in away.message
    assert away.settled is settled


@pytest.mark.parametrize("code", ["NoSuchKey", "404"])
def test_an_object_that_is_not_there_is_missing(code: str) -> None:
    assert isinstance(translated(client_error(code, 404)), BlobMissing)


def test_a_server_that_did_not_answer_has_no_word_for_it() -> None:
    assert code_of(client_error("SlowDown")) == "SlowDown"
    assert code_of(ClientError({}, "Call")) == code_of(NoCredentialsError()) == code_of(OSError()) == ""


async def test_a_call_gives_what_it_returns_and_fails_as_ours(calls: S3Calls) -> None:
    assert await calls.run(lambda: 7, 60) == 7

    def refused() -> None:
        raise client_error("NoSuchKey", 404)

    with pytest.raises(BlobMissing) as missing:
        await calls.run(refused, 60)
    assert isinstance(missing.value.__cause__, ClientError)


async def test_a_defect_of_ours_is_not_taken_for_the_store_s(calls: S3Calls) -> None:
    def broken() -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        await calls.run(broken, 60)


async def test_a_call_that_takes_too_long_may_yet_be_carried_out(calls: S3Calls) -> None:
    go = threading.Event()
    with pytest.raises(BlobStoreAway, match="no answer within 0 s") as away:
        await calls.run(go.wait, 0)
    assert not away.value.settled
    go.set()


async def test_only_so_many_calls_are_made_at_once_and_who_waits_in_vain_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(s3_calls, "SLOTS", 1)
    monkeypatch.setattr(s3_calls, "WAIT_SECONDS", 0.0)
    calls, go, begun = calls_of(MemoryBucket(), monkeypatch), threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def held() -> str:
        loop.call_soon_threadsafe(begun.set)
        go.wait(60)
        return "done"

    first = asyncio.create_task(calls.run(held, 60))
    await begun.wait()
    with pytest.raises(BlobStoreAway, match="too slow for all that is asked") as away:
        await calls.run(lambda: "second", 60)
    assert away.value.settled, "it was never begun"
    go.set()
    assert await first == "done"
    calls.close()


async def test_a_server_of_one_s_own_is_asked_by_path_with_the_keys_that_were_given() -> None:
    place = S3Place("b", "", "http://minio.test:9000", "eu", SecretStr("id"), SecretStr("secret"), seconds=7)
    calls = await asyncio.to_thread(S3Calls, place)
    patient, quick = calls.patient.meta, calls.quick.meta
    assert (patient.endpoint_url, patient.region_name) == ("http://minio.test:9000", "eu")
    assert patient.config.s3["addressing_style"] == "path"
    assert (patient.config.read_timeout, patient.config.retries["total_max_attempts"]) == (7, 3)
    assert quick.config.retries["total_max_attempts"] == 1, "what is quick is not tried again"
    calls.close()
