"""Putting one object into a bucket: streamed from its file in one call, or in parts where it is large."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from ingest.blobs.s3_calls import S3Calls, code_of

ONE_CALL_BYTES = 64 * 1024 * 1024
"""Up to so much a failure makes sending all of it again cheaper than keeping track of parts."""
PART_BYTES = 8 * 1024 * 1024
"""Of a larger object, read into memory one at a time; S3 takes 10,000 of them, 80 GB."""


def put(calls: S3Calls, name: str, digest: str, source: BinaryIO) -> None:
    """Store all of `source` unless the object is there. Blocks: call it in a thread.

    S3 refuses bytes whose SHA-256 is not `digest` (hex). An object that another puts at the same time is the same one.
    """
    if _is_there(calls, name):
        return
    size = source.seek(0, 2)
    source.seek(0)
    if size <= ONE_CALL_BYTES:
        checksum = base64.b64encode(bytes.fromhex(digest)).decode()
        calls.patient.put_object(
            Bucket=calls.bucket, Key=name, Body=source, ContentLength=size, ChecksumSHA256=checksum
        )
        return
    _put_in_parts(calls, name, source)


def _put_in_parts(calls: S3Calls, name: str, source: BinaryIO) -> None:
    client, where = calls.patient, {"Bucket": calls.bucket, "Key": name}
    upload = {**where, "UploadId": client.create_multipart_upload(**where)["UploadId"]}
    parts: list[dict[str, Any]] = []
    try:
        while piece := source.read(PART_BYTES):
            number = len(parts) + 1
            answer = client.upload_part(**upload, PartNumber=number, Body=piece)
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    except BaseException as error:
        if code_of(error) == "NoSuchUpload" and _is_there(calls, name):
            return  # it was completed, and the answer to that was lost
        with suppress(BotoCoreError, ClientError):  # else the sweep does it
            abort(calls, name, upload["UploadId"])
        raise


def abort(calls: S3Calls, name: str, upload_id: str) -> None:
    """Remove the parts of an upload; none is no error."""
    try:
        calls.patient.abort_multipart_upload(Bucket=calls.bucket, Key=name, UploadId=upload_id)
    except ClientError as error:
        if code_of(error) != "NoSuchUpload":
            raise


def _is_there(calls: S3Calls, name: str) -> bool:
    try:
        calls.patient.head_object(Bucket=calls.bucket, Key=name)
    except ClientError as error:
        if code_of(error) in ("404", "NoSuchKey"):
            return False
        raise
    return True
