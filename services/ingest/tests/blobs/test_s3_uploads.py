from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from services.ingest.tests.blobs.buckets import MemoryBucket, calls_of, client_error

from ingest.blobs import s3_uploads
from ingest.blobs.s3_calls import S3Calls
from ingest.blobs.s3_uploads import abort, put

CONTENT = b"0123456789"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
AWAY = EndpointConnectionError(endpoint_url="http://s3.test")


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture
def calls(bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Calls]:
    calls = calls_of(bucket, monkeypatch)
    yield calls
    calls.close()


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_uploads, "ONE_CALL_BYTES", 4)
    monkeypatch.setattr(s3_uploads, "PART_BYTES", 4)


def test_small_bytes_go_whole_in_one_call_wherever_they_were_read_to(bucket: MemoryBucket, calls: S3Calls) -> None:
    source = io.BytesIO(CONTENT)
    source.read(3)
    put(calls, "gw/a", DIGEST, source)
    assert bucket.objects == {"gw/a": CONTENT}
    assert bucket.calls == ["head_object", "put_object"]


def test_bytes_that_are_there_are_not_sent_again(bucket: MemoryBucket, calls: S3Calls) -> None:
    bucket.objects["gw/a"] = CONTENT
    put(calls, "gw/a", DIGEST, io.BytesIO(CONTENT))
    assert bucket.calls == ["head_object"]


def test_a_server_that_does_not_say_whether_they_are_there_is_not_sent_them(
    bucket: MemoryBucket, calls: S3Calls
) -> None:
    bucket.failing["head_object"] = [client_error("AccessDenied", 403)]
    with pytest.raises(ClientError, match="AccessDenied"):
        put(calls, "gw/a", DIGEST, io.BytesIO(CONTENT))
    assert bucket.objects == {}


def test_large_bytes_go_in_parts_that_make_the_whole(bucket: MemoryBucket, calls: S3Calls, in_parts: None) -> None:
    put(calls, "gw/a", DIGEST, io.BytesIO(CONTENT))
    assert (bucket.objects, bucket.uploads) == ({"gw/a": CONTENT}, {})
    assert bucket.calls.count("upload_part") == 3


@pytest.mark.parametrize("abort_fails", [False, True])
def test_an_upload_that_breaks_off_leaves_no_object_and_fails_for_its_own_reason(
    bucket: MemoryBucket, calls: S3Calls, in_parts: None, abort_fails: bool
) -> None:
    bucket.failing = {"upload_part": [AWAY], "abort_multipart_upload": [AWAY] if abort_fails else []}
    with pytest.raises(EndpointConnectionError):
        put(calls, "gw/a", DIGEST, io.BytesIO(CONTENT))
    assert bucket.objects == {}
    assert bool(bucket.uploads) == abort_fails, "what could not be removed is the sweep's"


def test_an_upload_whose_last_answer_was_lost_is_done(bucket: MemoryBucket, calls: S3Calls, in_parts: None) -> None:
    bucket.failing["complete_multipart_upload"] = [client_error("NoSuchUpload", 404)]
    put(calls, "gw/a", DIGEST, io.BytesIO(CONTENT))
    assert bucket.objects == {"gw/a": CONTENT}


def test_an_upload_that_is_not_there_is_aborted_already_and_other_refusals_are_told(
    bucket: MemoryBucket, calls: S3Calls
) -> None:
    abort(calls, "gw/a", "upload-none")
    bucket.failing["abort_multipart_upload"] = [client_error("AccessDenied", 403)]
    with pytest.raises(ClientError, match="AccessDenied"):
        abort(calls, "gw/a", "upload-none")
