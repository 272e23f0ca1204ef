"""Bounds the size of request bodies while they stream in, so that no limit needs the whole body in memory."""

from __future__ import annotations

from collections.abc import Callable

from starlette._utils import get_route_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.errors import PayloadTooLarge, error_response
from servicekit.headers import header_of

LimitFor = Callable[[str, str], int]
"""The most bytes that a body may have, by path and media type."""
MULTIPART = "multipart/form-data"


class BodyTooLarge(PayloadTooLarge):
    """The body is larger than this call takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The body is larger than {limit:,} bytes, which is the limit of this call. Send less at once, "
            "or a document as a file (multipart/form-data), which may be larger."
        )


class BodyLimit:
    """Refuses bodies above `limit_for(path, media_type)` bytes: at once by Content-Length, else when it is passed."""

    def __init__(self, app: ASGIApp, limit_for: LimitFor) -> None:
        self._app = app
        self._limit_for = limit_for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call; other scopes pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        media_type = header_of(scope, b"content-type") or ""
        limit = self._limit_for(get_route_path(scope), media_type.partition(";")[0].strip().lower())
        declared = header_of(scope, b"content-length") or ""
        if declared.isdigit() and int(declared) > limit:
            request_id = scope.get("state", {}).get("request_id")
            await error_response(BodyTooLarge(limit), request_id)(scope, receive, send)
            return
        seen = 0
        exceeded = started = False

        async def counted() -> Message:
            nonlocal seen, exceeded
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    exceeded = True
                    raise BodyTooLarge(limit)
            return message

        async def answer(message: Message) -> None:
            """Frameworks turn an error while parsing a body into a bare 400; the true reason goes out instead."""
            nonlocal started
            if exceeded and not started and message["type"] == "http.response.start":
                started = True
                request_id = scope.get("state", {}).get("request_id")
                await error_response(BodyTooLarge(limit), request_id)(scope, receive, send)
            elif not (exceeded and started):
                started = started or message["type"] == "http.response.start"
                await send(message)

        await self._app(scope, counted, answer)
