"""A record of the calls that the stand-ins behind the gateway got, and the script that they follow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import Request

from servicekit.auth.delegation import Caller


@dataclass
class Seen:
    """What the stand-ins saw, in order, and whether a call that was under way was ended from outside."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    hold_searches: bool = False
    """Whether a search waits for `release`."""
    revisions: dict[str, int] = field(default_factory=dict)
    """Of each collection, 4 by default; and when they were made, by `births`."""
    births: dict[str, datetime] = field(default_factory=dict)
    hits: list[dict[str, Any]] = field(default_factory=list)
    """What a search finds."""
    hits_by_mode: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """What a search in this mode finds instead."""
    hits_by_generation: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    """What a search that names this generation finds instead."""
    reindexes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Jobs, by the `Idempotency-Key` that each was begun with."""
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What was changed of each collection."""
    citation: dict[str, Any] = field(default_factory=dict)
    """What the citation of an answer from documents has beside its quote."""
    documents: dict[str, str] = field(default_factory=dict)
    """Texts that ingest has, by their documents' ids: each is one chunk."""
    delete_records: bool = False
    """Whether collections say that records go with the documents that they quote."""
    script: dict[str, list[str]] = field(default_factory=dict)
    """What a chat model does at its next calls, instead of answering: see `_scripted` in `peers`."""

    def note(self, peer: str, request: Request, caller: Caller, body: Any = None) -> None:
        self.calls.append(
            {
                "peer": peer,
                "path": request.url.path,
                "method": request.method,
                "query": dict(request.query_params),
                "headers": dict(request.headers),
                "delegation": caller.delegation,
                "body": body,
            }
        )

    def found_by(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """What this search finds."""
        found = self.hits_by_mode.get(body.get("mode", ""), self.hits)
        return list(self.hits_by_generation.get(body.get("generation", 0), found))

    def last(self, peer: str) -> dict[str, Any]:
        return next(call for call in reversed(self.calls) if call["peer"] == peer)
