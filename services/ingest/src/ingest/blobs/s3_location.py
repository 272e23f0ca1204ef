"""Where blobs are: what `INGEST_BLOBS_URL` can say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

INSTALL_S3 = ".venv/bin/uv pip install --no-config 'boto3>=1.40' (images: deploy/docker/s3.yml)"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket, a prefix of names in it without slashes at its ends, and how it is reached."""

    bucket: str
    prefix: str
    endpoint: str = ""
    region: str = "us-east-1"
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    seconds: float = 10.0
    """Longest silence."""

    @classmethod
    def of(cls, url: str) -> S3Place:
        """The place that `s3://bucket` or `s3://bucket/prefix` names; raises `ValueError`."""
        parts = urlsplit(url)
        prefix = parts.path.strip("/")
        if parts.scheme != "s3" or parts.query or parts.fragment:
            raise ValueError("give file:///path, s3://bucket or s3://bucket/prefix")
        if not _BUCKET.fullmatch(parts.netloc):
            raise ValueError(
                "a bucket's name has 3 to 63 of a-z, 0-9, '.' and '-'; credentials are settings of their own"
            )
        if prefix and not _PREFIX.fullmatch(prefix):
            raise ValueError("a prefix has letters, digits, '.', '_', '-' and single slashes")
        return cls(parts.netloc, prefix)


def folder_of(url: str) -> Path | None:
    """The folder that a `file:` URL names, null for another scheme; raises `ValueError`."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        return None
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/") or parts.query or parts.fragment:
        raise ValueError("a file URL has three slashes and a whole path: file:///srv/groundwork/blobs")
    return Path(unquote(parts.path))
