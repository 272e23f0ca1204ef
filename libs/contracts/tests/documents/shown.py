"""A document as the API shows it."""

from __future__ import annotations

from typing import Any

SHOWN: dict[str, Any] = {
    "id": "a",
    "collection": "handbook",
    "title": "A",
    "source": "a.md",
    "media_type": "text/markdown",
    "bytes": 1,
    "sha256": "0" * 64,
    "revision": 1,
    "status": "queued",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
}
