"""What kind of document an upload is; the API's word for `ingest.parsing.detection`."""

from __future__ import annotations

from extraction.formats.detection import HEAD, Received, detect
from extraction.formats.registry import SUPPORTED
from extraction.model.failures import ParseFailed
from ingest.errors import UnsupportedDocument

__all__ = ["HEAD", "Received", "media_type"]


def media_type(received: Received) -> str:
    """One of the supported types; raises `UnsupportedDocument`."""
    try:
        return detect(received)
    except ParseFailed as failure:
        raise UnsupportedDocument(failure.message, SUPPORTED.values()) from None
