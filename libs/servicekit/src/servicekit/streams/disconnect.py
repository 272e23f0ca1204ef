"""Callers that leave: the work for them is cancelled, whether their answer streams or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import Receive

from servicekit.core.errors import CLIENT_CLOSED, InvalidRequest


class CallerLeft(InvalidRequest):
    """The connection was closed by the other side. Nobody reads this; the access log and metrics show it."""

    status, code = CLIENT_CLOSED, "caller_left"

    def __init__(self) -> None:
        super().__init__("The caller closed the connection before the answer was there.")


async def disconnected(receive: Receive) -> None:
    """Return when the caller has closed the connection; its body has been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def while_connected(
    gone: Coroutine[Any, Any, None], is_answered: Callable[[], bool] = lambda: False
) -> AsyncIterator[None]:
    """Work, in this task, that is cancelled when `gone` returns first; then raises `CallerLeft`.

    `is_answered`: whether all was sent; servers report the end of a finished call like a caller that left.
    """
    task = asyncio.current_task()
    assert task is not None
    left = ended = False

    def leave(_: asyncio.Future[None]) -> None:
        nonlocal left
        if not ended and not is_answered():
            left = True
            task.cancel()

    watch = asyncio.ensure_future(gone)
    watch.add_done_callback(leave)
    try:
        yield
    except asyncio.CancelledError:
        if not left or task.uncancel():
            raise  # somebody else ends this task
        raise CallerLeft from None
    else:
        if left:  # the work took its cancellation for something else
            task.uncancel()
            raise CallerLeft
    finally:
        ended = True
        watch.cancel()
