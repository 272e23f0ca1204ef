"""Bounds request bodies while they stream in: their bytes, the values in them, and the memory of all together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.core.errors import PayloadTooLarge, QueueFull, ServiceError
from servicekit.web.error_handlers import error_response
from servicekit.web.headers import header_of
from servicekit.web.json_bodies import LARGE_BYTES, ValueCount
from servicekit.web.paths import route_path

LimitFor = Callable[[str, str], int]
"""The most bytes that a body may have, by path and media type; `Streamed` where it is passed on as it comes."""
OwnerOf = Callable[[Scope], str]
"""Whose call this is, as far as that is known before its body is read."""
MULTIPART = "multipart/form-data"


class Streamed(int):
    """A bound of bytes for bodies that are never in memory as a whole: neither counted nor parsed."""


class BodyTooLarge(PayloadTooLarge):
    """The body is larger than this call takes."""

    def __init__(self, limit: int) -> None:
        advice = "Send less at once, or a document as a file (multipart/form-data), which may be larger."
        if isinstance(limit, Streamed):
            advice = "Send it in parts, or ask whoever runs this server to raise the limit."
        super().__init__(f"The body is larger than {limit:,} bytes, which is the limit of this call. {advice}")


class TooManyLargeBodies(QueueFull):
    """There is no memory left for one more large body."""

    code = "too_many_large_bodies"

    def __init__(self) -> None:
        super().__init__(
            "Too many large bodies are being worked on here at once. Wait a moment and try again.", retry_after=1
        )


class BodyMemory:
    """Bytes of large bodies that calls hold, all together at most `most`, one owner's at most half of that.

    A body that is alone, or its owner's only one, is always taken: its own bound is that of its call.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._by_owner: defaultdict[str, int] = defaultdict(int)

    def take(self, owner: str, new: int, own: int) -> None:
        """Hold `new` bytes more for a call that holds `own`; raises `TooManyLargeBodies`."""
        others = self._held - own
        siblings = self._by_owner.get(owner, 0) - own if owner else 0
        total = own + new
        if (others and others + total > self._most) or (siblings and siblings + total > self._most // 2):
            raise TooManyLargeBodies
        self._held += new
        self._by_owner[owner] += new

    def free(self, owner: str, own: int) -> None:
        """A call is over."""
        self._held -= own
        self._by_owner[owner] -= own
        if not self._by_owner[owner]:
            del self._by_owner[owner]


class _Body:
    """One call's body while it comes in."""

    def __init__(self, limit: int, declared: int | None, most_values: int, memory: BodyMemory) -> None:
        self.refusal: ServiceError | None = None
        self._limit = limit
        self._memory = memory
        self._parsed = not isinstance(limit, Streamed)
        small = declared is not None and declared <= most_values  # it can't have more values than bytes
        self._values = ValueCount(most_values) if self._parsed and not small else None
        self._owner = ""
        self._seen = self._held = 0

    def feed(self, piece: bytes, scope: Scope, owner_of: OwnerOf) -> None:
        """Count on; raises what there is too much of."""
        self._seen += len(piece)
        try:
            if self._seen > self._limit:
                raise BodyTooLarge(self._limit)
            if self._values is not None:
                self._values.feed(piece)
            if self._parsed and self._seen > LARGE_BYTES:
                self._owner = self._owner or owner_of(scope)
                self._memory.take(self._owner, self._seen - self._held, self._held)
                self._held = self._seen
        except ServiceError as error:
            self.refusal = error
            raise

    def close(self) -> None:
        """The call is over."""
        if self._held:
            self._memory.free(self._owner, self._held)


class BodyLimit:
    """Refuses bodies above `limit_for(path, media_type)` bytes: at once by Content-Length, else when it is passed.

    Those that will be parsed may hold `most_values` values, and the large ones of all calls `memory` bytes.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit_for: LimitFor,
        most_values: int,
        memory: int,
        owner_of: OwnerOf = lambda _: "",
    ) -> None:
        self._app = app
        self._limit_for = limit_for
        self._most_values = most_values
        self._memory = BodyMemory(memory)
        self._owner_of = owner_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call; other scopes pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        media_type = header_of(scope, b"content-type") or ""
        limit = self._limit_for(route_path(scope), media_type.partition(";")[0].strip().lower())
        declared = _declared(scope)
        if declared is not None and declared > limit:
            request_id = scope.get("state", {}).get("request_id")
            await error_response(BodyTooLarge(limit), request_id)(scope, receive, send)
            return
        body = _Body(limit, declared, self._most_values, self._memory)
        started = False

        async def counted() -> Message:
            message = await receive()
            if message["type"] == "http.request" and message.get("body"):
                body.feed(message["body"], scope, self._owner_of)
            return message

        async def answer(message: Message) -> None:
            """Frameworks turn an error while parsing a body into a bare 400; the true reason goes out instead."""
            nonlocal started
            if body.refusal is not None and not started and message["type"] == "http.response.start":
                started = True
                request_id = scope.get("state", {}).get("request_id")
                await error_response(body.refusal, request_id)(scope, receive, send)
            elif not (body.refusal is not None and started):
                started = started or message["type"] == "http.response.start"
                await send(message)

        try:
            await self._app(scope, counted, answer)
        finally:
            body.close()


def _declared(scope: Scope) -> int | None:
    declared = header_of(scope, b"content-length") or ""
    return int(declared) if declared.isdigit() else None
