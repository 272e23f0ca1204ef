"""What kind of document an upload is; the API's word for `ingest.parsing.detection`."""

from __future__ import annotations

from ingest.errors import UnsupportedDocument
from ingest.parsing.detection import HEAD, Received, detect
from ingest.parsing.failures import ParseFailed
from ingest.parsing.formats import SUPPORTED

__all__ = ["HEAD", "Received", "media_type"]


def media_type(received: Received) -> str:
    """One of the supported types; raises `UnsupportedDocument`."""
    try:
        return detect(received)
    except ParseFailed as failure:
        raise UnsupportedDocument(failure.message, SUPPORTED.values()) from None
