"""Request headers straight from the ASGI scope: every call needs some, and an object for them costs more than they."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Scope


def header_of(scope: Scope, name: bytes) -> str | None:
    """The first header with this lower-case name, decoded as Latin-1."""
    for key, value in scope["headers"]:
        if key == name:
            decoded: str = value.decode("latin-1")
            return decoded
    return None


def only_header_of(scope: Scope, name: bytes, doubt: Callable[[], Exception]) -> str | None:
    """The same, where two would leave open which is meant; raises `doubt` then."""
    found: bytes | None = None
    for key, value in scope["headers"]:
        if key == name:
            if found is not None:
                raise doubt()
            found = value
    return None if found is None else found.decode("latin-1")
