"""A peer that answers as a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel

from contracts.core.errors import ErrorBody
from servicekit.core.errors import PeerError
from servicekit.peers.client import PeerAnswer


def refused(status: int, code: str = "refused") -> PeerError:
    return PeerError(status, ErrorBody(type="not_found", code=code, message="No."))


class FakePeer:
    """Stands where a `Peer` is: gives one answer after another, the last for good, and keeps what it was asked."""

    timeout_seconds = 30.0

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []
        self.given: list[dict[str, Any]] = []

    def _next(self, method: str, path: str, given: dict[str, Any]) -> Any:
        self.asked.append((method, path))
        self.given.append(given)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def call(self, method: str, path: str, answer: type[BaseModel], **given: Any) -> Any:
        return answer.model_validate(self._next(method, path, given))

    async def send(self, method: str, path: str, **given: Any) -> PeerAnswer:
        answer: PeerAnswer = self._next(method, path, given)
        return answer

    @asynccontextmanager
    async def stream(self, method: str, path: str, **given: Any) -> AsyncIterator[Any]:
        pieces = self._next(method, path, given)

        class Stream:
            async def pieces(self) -> AsyncIterator[bytes]:
                for piece in pieces:
                    yield piece

        yield Stream()

    async def probe(self) -> None:
        self._next("GET", "/readyz", {})
