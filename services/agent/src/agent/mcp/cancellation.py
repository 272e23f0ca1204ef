"""Calls of MCP tools that are under way: each ends when its client cancels it, on whatever replica, or leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from contracts.agents.mcp import MessageId
from servicekit.core.identifiers import new_id
from servicekit.jobs.notifier import Notifier, Subscription
from servicekit.streams.disconnect import CallerLeft, while_connected

Result = TypeVar("Result")
LOOK_SECONDS = 60.0


def new_session() -> str:
    """The id of a client's session. It is kept nowhere: it only sets the ids of one client's calls apart from
    another's, who has the same key."""
    return new_id("mcp")


def name_of(key_id: str, session: str | None, message_id: MessageId | None) -> str | None:
    """What a call is cancelled by; None for one that can't be told from others."""
    if session is None or message_id is None:
        return None
    return f"mcp:{key_id}:{session[:100]}:{type(message_id).__name__}:{message_id}"


async def unless_cancelled(
    notifier: Notifier, name: str | None, gone: Coroutine[Any, Any, None], work: Awaitable[Result]
) -> Result | None:
    """What the work gives; None, and the work ended, once its client has cancelled it or left.

    Model calls inside the work are ended with it, and charged for what they did until then.
    """
    with notifier.subscribe(name or new_id("nobody")) as subscription:
        try:
            async with while_connected(gone), while_connected(_wait_for_notification(subscription)):
                return await work
        except CallerLeft:
            return None


async def _wait_for_notification(subscription: Subscription) -> None:
    while not await subscription.wait(LOOK_SECONDS):
        pass
