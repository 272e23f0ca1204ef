"""What was said earlier on the thread, found by its words: summaries leave things out, this does not."""

from __future__ import annotations

from typing import Any

from agent.text.words import form_set
from agent.threads import repository as threads
from agent.tools.built_in import BuiltInTool
from agent.tools.tool import Repeat, ToolCaller
from servicekit.sql.database import Database

FOUND = 8
MAX_CHARS = 1500


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
        async with self._database.read() as connection:
            messages = await threads.list_messages(connection, caller.thread_id, 0)
        wanted = form_set(arguments["query"])
        scored = [(len(wanted & form_set(one["content"])), at) for at, one in enumerate(messages)]
        best = sorted(sorted((score, at) for score, at in scored if score)[-FOUND:], key=lambda pair: pair[1])
        if not best:
            return "Nothing was said with these words. Try others."
        return "\n\n".join(f"[{messages[at]['role']}] {messages[at]['content'][:MAX_CHARS]}" for _, at in best)


BUILT_IN = (
    BuiltInTool(
        "search_history",
        "Finds what was said earlier on the thread, by words.",
        lambda _options, resources: SearchHistory(resources.database),
    ),
)
