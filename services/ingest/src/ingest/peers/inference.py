"""Tokenizer files from inference, kept in memory and on disk by their ETag."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from extraction.chunking.tokens import Tokens
from servicekit.core.errors import UpstreamFailed
from servicekit.peers.client import Peer

log = structlog.get_logger(__name__)
CHECK_SECONDS = 5.0
"""How old a tokenizer may be: a model is replaced while it runs. Asking by ETag costs less than a document's chunks."""


class TokenizerUnusable(UpstreamFailed):
    """The file that inference gave is not a tokenizer."""

    code = "tokenizer_unusable"

    def __init__(self, model: str) -> None:
        super().__init__(f"The tokenizer file of the model '{model}' can't be read. Check the model's files.")


@dataclass
class _Kept:
    tokens: Tokens
    etag: str
    checked_at: float


class InferenceTokenizers:
    """The `TokenizerSource` of a running platform. Asks inference again every few seconds, by ETag."""

    def __init__(self, peer: Peer, folder: Path) -> None:
        self._peer = peer
        self._folder = folder
        self._kept: dict[str, _Kept] = {}
        self._lock = asyncio.Lock()

    async def tokens(self, token: str, model: str) -> Tokens:
        """The model's tokenizer; one fetch at a time."""
        async with self._lock:
            kept = self._kept.get(model) or await asyncio.to_thread(self._from_disk, model)
            if kept is None or time.monotonic() - kept.checked_at > CHECK_SECONDS:
                kept = await self._ask(token, model, kept)
            self._kept[model] = kept
            return kept.tokens

    async def _ask(self, token: str, model: str, kept: _Kept | None) -> _Kept:
        headers = {"If-None-Match": kept.etag} if kept and kept.etag else {}
        answer = await self._peer.send("GET", f"/v1/models/{model}/tokenizer", token=token, headers=headers)
        if answer.status == 304 and kept is not None:
            return _Kept(kept.tokens, kept.etag, time.monotonic())
        etag = answer.headers.get("ETag", "")
        try:
            tokens = await asyncio.to_thread(Tokens.from_json, answer.body)
        except ValueError as error:
            log.warning("tokenizer unusable", model=model, error=str(error)[:200])
            raise TokenizerUnusable(model) from None
        await asyncio.to_thread(self._to_disk, model, etag, answer.body)
        return _Kept(tokens, etag, time.monotonic())

    def _path(self, model: str) -> Path:
        return self._folder / f"{hashlib.sha256(model.encode()).hexdigest()[:24]}.json"

    def _from_disk(self, model: str) -> _Kept | None:
        """What an earlier process kept; it is checked with inference before it is used."""
        try:
            saved = json.loads(self._path(model).read_text())
            return _Kept(Tokens.from_json(saved["file"].encode()), saved["etag"], -CHECK_SECONDS * 2)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # whatever a power cut left of it
            return None

    def _to_disk(self, model: str, etag: str, body: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._path(model).with_suffix(".new")
        temporary.write_text(json.dumps({"model": model, "etag": etag, "file": body.decode()}))
        temporary.replace(self._path(model))
