"""What was said earlier on the thread, found by its words: summaries leave things out, this does not."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Sequence
from typing import Any

from agent.text.words import form_set
from agent.threads import repository as threads
from agent.tools.built_in import BuiltInTool
from agent.tools.tool import Repeat, ToolCaller
from servicekit.sql.database import Database

FOUND = 8
MAX_CHARS = 1500
AT_ONCE = 100
"""Messages that are read together, fewer if they are long: a thread may have more than fit into memory."""
_Found = tuple[int, int, str]
"""How many words a message shares, its position, and its beginning."""


class SearchHistory:
    """`Tool`: earlier messages of the thread that have the query's words."""

    name = "search_history"
    kind = "search_history"
    repeat: Repeat = "safe"
    description = "Finds what was said earlier in this conversation, by words. Use it where the summary is not enough."
    parameters: dict[str, Any] = {  # noqa: RUF012  # read only
        "type": "object",
        "properties": {"query": {"type": "string", "minLength": 1, "maxLength": 500}},
        "required": ["query"],
        "additionalProperties": False,
    }

    def __init__(self, database: Database) -> None:
        self._database = database

    async def call(self, arguments: dict[str, Any], caller: ToolCaller) -> str:
        """The messages that share the most words with the query, in the order in which they were said."""
        wanted, best, at = form_set(arguments["query"]), list[_Found](), 0
        while True:
            async with self._database.read() as connection:
                sizes = await threads.list_sizes(connection, caller.thread_id, at, AT_ONCE)
                count = threads.count_fitting([size.chars for size in sizes])
                messages = await threads.list_messages(connection, caller.thread_id, at, count)
            if not messages:
                break
            best = heapq.nlargest(FOUND, best + await asyncio.to_thread(_score, wanted, messages, at))
            at += len(messages)
        if not best:
            return "Nothing was said with these words. Try others."
        return "\n\n".join(text for _, _, text in sorted(best, key=lambda found: found[1]))


def _score(wanted: frozenset[str], messages: Sequence[dict[str, Any]], first: int) -> list[_Found]:
    scored = ((len(wanted & form_set(one["content"])), at, one) for at, one in enumerate(messages, first))
    return [(score, at, f"[{one['role']}] {one['content'][:MAX_CHARS]}") for score, at, one in scored if score]


BUILT_IN = (
    BuiltInTool(
        "search_history",
        "Finds what was said earlier on the thread, by words.",
        lambda _options, resources: SearchHistory(resources.database),
    ),
)
