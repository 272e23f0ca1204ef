"""What every public call passes first: one spelling of its path, and `HEAD` for each `GET`.

Two spellings of a path would let one pass by a proxy's rules. What can't be read in two ways is forgiven: a slash at
the end, `/health`.
"""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.operations.table import OPERATIONS
from servicekit.core.errors import InvalidRequest
from servicekit.web.error_handlers import error_response

ALIASES = {"/health": "/healthz"}
FORGIVEN = ("/v1/", "/mcp/", "/health", "/readyz")
"""Where a slash at the end of a path means nothing."""
NAMES_WITH_SLASHES = tuple(
    {operation.path.partition("{")[0].encode() for operation in OPERATIONS if operation.takes_slashes}
)
"""Below these a name may have a slash in it, which clients write as `%2F`."""
_NEEDLESS = re.compile(rb"%(?:2[de]|3\d|4[1-9a-f]|5[\daf]|6[1-9a-f]|7[\dae])", re.IGNORECASE)
"""Letters, digits, `-`, `.`, `_` and `~`, which mean the same unescaped (RFC 3986, 2.3)."""
_MEANINGFUL = re.compile(rb"%(?:2f|5c|00)", re.IGNORECASE)


class PathSpelling(InvalidRequest):
    """A path with more than one spelling."""

    code = "path_spelling"

    def __init__(self) -> None:
        super().__init__(
            "A path is taken in one spelling only: write its letters, digits and slashes as they are, without '%'."
        )


class _HeadAnswered(Exception):
    """The head of an answer is out, and no more of it is wanted."""


class CanonicalPath:
    """Refuses a second spelling of a path, and answers `HEAD` as `GET` without a body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        raw: bytes = scope.get("raw_path") or b""
        if b"%" in raw and _is_misspelt(raw):
            await error_response(PathSpelling(), scope["state"]["request_id"])(scope, receive, send)
            return
        scope["path"] = _straight(scope["path"])
        if scope["method"] == "HEAD":
            await self._head(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ends the answer with its head: what would follow may be a stream without end."""

        async def head_alone(message: Message) -> None:
            await send(message)
            await send({"type": "http.response.body", "body": b""})
            raise _HeadAnswered

        inner = {**scope, "method": "GET"}  # the server goes on by its own: it must not forget that this is a HEAD
        try:
            await self._app(inner, receive, head_alone)
        except _HeadAnswered:
            pass
        finally:
            if "route" in inner:
                scope["route"] = inner["route"]  # for metrics


def _straight(path: str) -> str:
    if path.endswith("/") and path.startswith(FORGIVEN) and len(path) > len("/v1/"):
        path = path[:-1]
    return ALIASES.get(path, path)


def _is_misspelt(raw: bytes) -> bool:
    if _NEEDLESS.search(raw):
        return True
    return _MEANINGFUL.search(raw) is not None and not raw.startswith(NAMES_WITH_SLASHES)
