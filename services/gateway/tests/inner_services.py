"""Inner services without a socket: what each was asked, and what it answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
from pydantic import BaseModel

from servicekit.core.errors import ServiceError
from servicekit.peers.client import Peer, PeerMalformed, PeerStream, PeerUnreachable


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of a service."""

    method: str
    path: str
    token: str
    body: bytes
    params: Mapping[str, str]
    headers: Mapping[str, str]
    timeout_seconds: float | None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer in pieces. An event holds back what follows it; an error breaks the answer off."""

    pieces: tuple[bytes | asyncio.Event | ServiceError, ...]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Streamed | BaseModel | dict[str, Any] | bytes | ServiceError


class InnerService(Peer):
    """Answers by path, and keeps what it was asked. What it was told no answer for can't be reached."""

    def __init__(self, name: str) -> None:
        super().__init__(name, f"http://{name}.test", cast("aiohttp.ClientSession", None))
        self.asked: list[Asked] = []
        self.ended = 0
        self.was_asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.may_answer.set()
        self._answers: dict[str, list[Answer]] = {}

    def answers(self, path: str, *answers: Answer) -> None:
        """Each of these once, and the last of them from then on."""
        self._answers[path] = list(answers)

    def asked_for(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]

    @asynccontextmanager
    async def stream(self, method: str, path: str, **options: Any) -> AsyncIterator[PeerStream]:
        """A call; leaving the block ends it."""
        body = await _whole(options.get("body"))
        sent = options.get("params") or {}, options.get("headers") or {}
        self.asked.append(Asked(method, path, options.get("token") or "", body, *sent, options.get("timeout_seconds")))
        self.was_asked.set()
        await self.may_answer.wait()
        known = self._answers.get(path)
        if known is None:
            raise PeerUnreachable(self.name)
        answer = known.pop(0) if len(known) > 1 else known[0]
        if isinstance(answer, ServiceError):
            raise answer
        arriving = _Arriving(_streamed(answer))
        passes = options.get("passes", ()) if options.get("check_status", True) else (arriving.status,)
        if arriving.status >= 400 and arriving.status not in passes:
            raise PeerMalformed(self.name)
        try:
            yield arriving
        finally:
            self.ended += 1


class _Arriving(PeerStream):
    def __init__(self, answer: Streamed) -> None:
        self.status, self.headers, self._left = answer.status, answer.headers, answer.pieces

    async def pieces(self) -> AsyncIterator[bytes]:
        for piece in self._left:
            if isinstance(piece, ServiceError):
                raise piece
            if isinstance(piece, bytes):
                yield piece
            else:
                await piece.wait()


def _streamed(answer: Streamed | BaseModel | dict[str, Any] | bytes) -> Streamed:
    if isinstance(answer, Streamed):
        return answer
    if isinstance(answer, bytes):
        return Streamed((answer,))
    whole = answer.model_dump_json() if isinstance(answer, BaseModel) else json.dumps(answer)
    return Streamed((whole.encode(),), headers={"content-type": "application/json"})


async def _whole(body: BaseModel | bytes | AsyncIterator[bytes] | None) -> bytes:
    if body is None or isinstance(body, bytes):
        return body or b""
    if isinstance(body, BaseModel):
        return body.model_dump_json(exclude_unset=True).encode()
    return b"".join([piece async for piece in body])
