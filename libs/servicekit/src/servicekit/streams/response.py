"""Answers whose source is opened before they begin, and closed however they end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class OpenedStream(StreamingResponse):
    """A stream from what `opening()` gives. What fails while it opens is an ordinary error with an envelope.

    A generator alone is not closed if the caller leaves before its first piece is asked for.
    """

    def __init__(
        self,
        opening: Callable[[], AbstractAsyncContextManager[AsyncIterator[bytes]]],
        media_type: str,
        status_code: int = 200,
    ) -> None:
        super().__init__(iter(()), status_code, media_type=media_type)
        self._opening = opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open, answer, close."""
        async with self._opening() as pieces:
            self.body_iterator = pieces
            await super().__call__(scope, receive, send)
