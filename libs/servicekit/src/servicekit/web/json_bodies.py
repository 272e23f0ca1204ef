"""JSON from outside: its values counted on the bytes before a parser makes objects of them, and much of it parsed in a
thread, so that nobody's body holds up the event loop or fills the memory.

Two bytes (`{}`) become an object of some hundred: a body that is small enough can still be too much once it is parsed.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from servicekit.core.errors import PayloadTooLarge, Unprocessable
from servicekit.web.error_handlers import from_validation

LARGE_BYTES = 16 * 1024
"""From here on a body is dear enough for more care: limits before it is read, a thread for what is done with it."""
THREADS = 2
"""Large bodies that are worked on at once: more would only keep the event loop from its turns."""
QUOTES_A_VALUE = 4
"""In JSON each value brings at most two strings, its key and itself."""
Result = TypeVar("Result")
Model = TypeVar("Model", bound=BaseModel)
_OTHER = bytes(set(range(256)) - set(b'"[{,'))


class TooManyValues(PayloadTooLarge):
    """JSON with more values than this call takes."""

    code = "too_many_values"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"The body holds more than {most:,} values (items of lists, fields of objects), which is the limit of this "
            "call. Send less at once."
        )


class ValueCount:
    """Counts the values of JSON that comes in pieces: `[`, `{` and `,` outside of strings. A text has any of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values = 0
        self._quotes = 0
        self._inside = 0
        """1 within a string."""
        self._escape = b""

    def feed(self, piece: bytes) -> None:
        """Count on; raises `TooManyValues`."""
        piece = self._escape + piece
        cut = (len(piece) - len(piece.rstrip(b"\\"))) % 2  # an escape whose second half is in the next piece
        piece, self._escape = (piece[:-1], b"\\") if cut else (piece, b"")
        marks = piece.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _OTHER)
        parts = marks.split(b'"')
        self._values += sum(map(len, parts[self._inside :: 2]))
        self._quotes += len(parts) - 1
        self._inside = (self._inside + len(parts) - 1) % 2
        if self._values > self._most or self._quotes > QUOTES_A_VALUE * (self._most + 1):
            raise TooManyValues(self._most)


PIECE = 64 * 1024


def check_values(content: bytes, most: int) -> None:
    """Raise `TooManyValues` unless JSON has at most so many values; no parser has seen it before."""
    if len(content) <= most:
        return
    count = ValueCount(most)
    for start in range(0, len(content), PIECE):
        count.feed(content[start : start + PIECE])


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, "bodies")


async def off_loop(size: int, work: Callable[..., Result], *given: Any) -> Result:
    """What `work(*given)` gives; in one of a few threads where it is about `LARGE_BYTES` or more."""
    if size < LARGE_BYTES:
        return work(*given)
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_threads(), lambda: context.run(work, *given))


async def parse(model: type[Model], body: bytes) -> Model:
    """The body as a model; raises `Unprocessable` with the dotted path of the first thing that is wrong."""
    return await off_loop(len(body), validated, model, body)


def validated(model: type[Model], body: bytes) -> Model:
    """What `parse` gives, at once: for small bodies, and inside of `off_loop`."""
    try:
        return model.model_validate_json(body)
    except ValidationError as failure:
        raise invalid(failure) from None


def invalid(failure: ValidationError) -> Unprocessable:
    """What is wrong with a body."""
    errors = failure.errors(include_url=False, include_context=False, include_input=False)
    return from_validation(RequestValidationError([{**error, "loc": ("body", *error["loc"])} for error in errors]))
