"""Calls to one bucket: boto3 in threads of their own, bounded in number and time, its errors as ours.

botocore bounds each silence and tries a call three times (its `standard` mode). What a call may take in all is bounded
here; a thread whose caller went away ends by botocore's bounds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
)

from ingest.blobs.s3_location import S3Place
from ingest.errors import BlobMissing, BlobStoreAway
from servicekit.core.errors import ServiceError

log = structlog.get_logger(__name__)
T = TypeVar("T")
SLOTS = 16
"""Calls at once; each holds one piece of a blob in memory at most."""
WAIT_SECONDS = 20.0
CONNECT_SECONDS = 5.0
QUICK_SECONDS = 2.5
"""Longest silence of a call that is not tried again."""
ATTEMPTS = 3
MISSING = ("NoSuchKey", "404")
SETTLED = (ClientError, NoCredentialsError, EndpointConnectionError, ConnectTimeoutError)
"""It answered, or it was never asked."""


class S3Calls:
    """A bucket's client."""

    def __init__(self, place: S3Place) -> None:
        """Makes the clients, which reads files: call it in a thread."""
        logging.getLogger("botocore").setLevel(logging.INFO)  # below that it writes whole requests
        self.bucket = place.bucket
        self.patient = _client(place, CONNECT_SECONDS, place.seconds, ATTEMPTS)
        self.quick = _client(place, QUICK_SECONDS, QUICK_SECONDS, 1)
        self._threads = ThreadPoolExecutor(SLOTS, "s3")
        self._slots = asyncio.Semaphore(SLOTS)

    async def run(self, work: Callable[[], T], within: float) -> T:
        """What `work` returns, done in a thread; raises `BlobStoreAway`, also after `within` seconds, or `BlobMissing`.

        Whoever is cancelled leaves the thread to end by itself.
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._slots.acquire()
        except TimeoutError:
            raise BlobStoreAway("is too slow for all that is asked of it") from None
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._ended)
        done, _ = await asyncio.wait({future}, timeout=within)
        if not done:
            raise BlobStoreAway(f"gave no answer within {within:.0f} s", settled=False)
        try:
            return future.result()
        except (BotoCoreError, ClientError) as error:
            raise translated(error) from error

    def close(self) -> None:
        """Begin nothing more. Calls under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ended(self, future: asyncio.Future[Any]) -> None:
        self._slots.release()
        if not future.cancelled():
            future.exception()  # nobody else may be there to take it


def code_of(error: BaseException) -> str:
    """S3's own word for what went wrong; empty where it did not answer."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def translated(error: BotoCoreError | ClientError) -> ServiceError:
    """What a failure means to us. Names of buckets and hosts are for the log, not for callers."""
    code = code_of(error)
    if code in MISSING:
        return BlobMissing()
    log.warning("S3 call failed", error=str(error)[:300])
    return BlobStoreAway(_why(error, code), settled=isinstance(error, SETTLED))


def _why(error: BotoCoreError | ClientError, code: str) -> str:
    if isinstance(error, NoCredentialsError):
        return "has no credentials (INGEST_S3_ACCESS_KEY_ID, INGEST_S3_SECRET_ACCESS_KEY)"
    if not isinstance(error, ClientError):
        return f"can't be reached ({type(error).__name__})"
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code == "NoSuchBucket":
        return "has no such bucket (INGEST_BLOBS_URL)"
    if status in (401, 403):
        return f"refuses these credentials, or they may not do that ({code})"
    return f"answers with an error ({code})"


def _client(place: S3Place, connect: float, read: float, attempts: int) -> Any:
    config = Config(
        connect_timeout=connect,
        read_timeout=read,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=SLOTS,
        # A server of one's own rarely has a name for each bucket.
        s3={"addressing_style": "path" if place.endpoint else "auto"},
        # Older servers do not know the checksums that newer clients send unasked.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    given = (place.access_key_id, place.secret_access_key)
    key, secret = (each.get_secret_value() or None if each else None for each in given)
    session = boto3.session.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name=place.region)
    return session.client("s3", endpoint_url=place.endpoint or None, config=config)
