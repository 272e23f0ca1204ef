"""A bucket in memory, behind the calls of boto3's client that ingest makes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from ingest.blobs.s3_calls import S3Calls
from ingest.blobs.s3_location import S3Place

PLACE = S3Place("bucket", "gw")


def client_error(code: str, status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "No."}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Call")


class MemoryBucket:
    """Keeps objects and the parts of unfinished uploads; fails a call once for each error that a test puts there."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[str, Any]] = {}
        self.failing: dict[str, list[Exception]] = {}
        self.calls: list[str] = []
        self.versioning: dict[str, str] = {}

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.failing.get(name):
            raise self.failing[name].pop(0)

    def head_bucket(self, **_: Any) -> None:
        self._called("head_bucket")

    def head_object(self, **given: Any) -> None:
        self._called("head_object")
        if given["Key"] not in self.objects:
            raise client_error("404", 404)

    def put_object(self, **given: Any) -> None:
        self._called("put_object")
        self.objects[given["Key"]] = given["Body"] if isinstance(given["Body"], bytes) else given["Body"].read()

    def get_object(self, **given: Any) -> dict[str, Any]:
        self._called("get_object")
        if given["Key"] not in self.objects:
            raise client_error("NoSuchKey", 404)
        content = self.objects[given["Key"]]
        first, last = map(int, given["Range"].removeprefix("bytes=").split("-"))
        if first >= len(content):
            raise client_error("InvalidRange", 416)
        piece = content[first : last + 1]
        return {"Body": io.BytesIO(piece), "ContentRange": f"bytes {first}-{first + len(piece) - 1}/{len(content)}"}

    def list_objects_v2(self, **given: Any) -> dict[str, Any]:
        self._called("list_objects_v2")
        names = sorted(name for name in self.objects if name.startswith(given["Prefix"]) and name > given["StartAfter"])
        return {"Contents": [{"Key": name, "LastModified": datetime.now(UTC)} for name in names[: given["MaxKeys"]]]}

    def delete_object(self, **given: Any) -> None:
        self._called("delete_object")
        self.objects.pop(given["Key"], None)

    def delete_objects(self, **given: Any) -> dict[str, Any]:
        self._called("delete_objects")
        for each in given["Delete"]["Objects"]:
            del self.objects[each["Key"]]
        return {}

    def get_bucket_versioning(self, **_: Any) -> dict[str, str]:
        self._called("get_bucket_versioning")
        return self.versioning

    def create_multipart_upload(self, **given: Any) -> dict[str, str]:
        self._called("create_multipart_upload")
        upload_id = f"upload-{len(self.calls)}"
        begun = {"Key": given["Key"], "UploadId": upload_id, "Initiated": datetime.now(UTC)}
        self.uploads[upload_id] = {**begun, "parts": {}}
        return {"UploadId": upload_id}

    def upload_part(self, **given: Any) -> dict[str, str]:
        self._called("upload_part")
        self.uploads[given["UploadId"]]["parts"][given["PartNumber"]] = given["Body"]
        return {"ETag": f"etag-{given['PartNumber']}"}

    def complete_multipart_upload(self, **given: Any) -> None:
        upload = self.uploads.pop(given["UploadId"])
        numbers = [part["PartNumber"] for part in given["MultipartUpload"]["Parts"]]
        self.objects[upload["Key"]] = b"".join(upload["parts"][number] for number in numbers)
        self._called("complete_multipart_upload")  # what fails here is the answer

    def abort_multipart_upload(self, **given: Any) -> None:
        self._called("abort_multipart_upload")
        if self.uploads.pop(given["UploadId"], None) is None:
            raise client_error("NoSuchUpload", 404)

    def get_paginator(self, _: str) -> MemoryBucket:
        return self

    def paginate(self, **given: Any) -> Iterator[dict[str, Any]]:
        yield {}
        yield {"Uploads": [each for each in self.uploads.values() if each["Key"].startswith(given["Prefix"])]}


def calls_of(bucket: MemoryBucket, monkeypatch: Any) -> S3Calls:
    """The calls of ingest, their clients being this bucket."""
    monkeypatch.setattr("ingest.blobs.s3_calls._client", lambda *_: bucket)
    return S3Calls(PLACE)
