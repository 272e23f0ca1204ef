"""The first member of an archive."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ingest.export.archive import ArchivedPart, Manifest


def new_manifest(original: bytes, parts: Sequence[ArchivedPart]) -> Manifest:
    """Of a plain text `d` with this file and these parts."""
    return Manifest(
        id="d",
        revision=1,
        title="T",
        title_given=True,
        source="s",
        media_type="text/plain",
        bytes=len(original),
        sha256=hashlib.sha256(original).hexdigest(),
        embedding_model="model",
        parts=list(parts),
    )
