"""A browser's sign-in, and who a call speaks for."""

from __future__ import annotations

from types import NoneType

from contracts.access.sessions import Me, SessionToken
from contracts.operations.operation import Operation
from contracts.operations.reach import NO_MODEL

_SESSION, _TAGS = "/v1/session", ("session",)

# fmt: off
CREATE_SESSION = Operation(
    "POST", _SESSION, Me, (), _TAGS, NO_MODEL, "Sign a browser in", 201, name="create_session",
)
DELETE_SESSION = Operation(
    "DELETE", _SESSION, NoneType, (), _TAGS, NO_MODEL, "Sign a browser out", 204, name="delete_session",
)
CREATE_SESSION_TOKEN = Operation(
    "POST", f"{_SESSION}/token", SessionToken, (), _TAGS, NO_MODEL, "Make a token that signs one browser in", 201,
    name="create_session_token",
)
GET_ME = Operation("GET", "/v1/me", Me, (), _TAGS, NO_MODEL, "Show whose key or session this is", name="me")
# fmt: on
