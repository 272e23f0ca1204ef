from __future__ import annotations

from services.agent.tests.runs_bench import VIEWER

from agent.threads import repository as threads
from agent.threads.messages import user
from agent.tools.search_history import MAX_CHARS, SearchHistory
from agent.tools.tool import ToolCaller
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


async def _token() -> str:
    return "token"


async def test_what_was_said_is_found_by_its_words_in_the_order_in_which_it_was_said(database: Database) -> None:
    now = ManualClock().now()
    said = ["The budget is 40 euros.", "Lunch is at noon.", "Budgets are due in May." + "x" * MAX_CHARS]
    async with database.write() as connection:
        thread = await threads.create_thread(connection, VIEWER, {}, now)
        await threads.append_messages(connection, thread.id, "run", [user(text) for text in said], now)
    tool, caller = SearchHistory(database), ToolCaller("k", "run", thread.id, _token)
    found = await tool.call({"query": "the budget"}, caller)
    assert found.index("40 euros") < found.index("due in May")
    assert "noon" not in found
    assert len(found) < 2 * MAX_CHARS
    assert await tool.call({"query": "giraffes"}, caller) == "Nothing was said with these words. Try others."
