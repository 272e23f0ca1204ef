from __future__ import annotations

from typing import Any

import pytest
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


async def test_long_messages_are_read_few_at_a_time_and_none_is_left_out(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "PAGE_BYTES", 100)
    now, read = ManualClock().now(), list[int]()
    said = [f"Budget {number} " + "x" * 60 * (number % 3) for number in range(7)]
    async with database.write() as connection:
        thread = await threads.create_thread(connection, VIEWER, {}, now)
        await threads.append_messages(connection, thread.id, "run", [user(text) for text in said], now)
    listed = threads.list_messages

    async def noted(*arguments: Any) -> list[dict[str, Any]]:
        found = await listed(*arguments)
        read.append(len(found))
        return found

    monkeypatch.setattr(threads, "list_messages", noted)
    found = await SearchHistory(database).call({"query": "budget"}, ToolCaller("k", "run", thread.id, _token))
    assert [f"Budget {number}" in found for number in range(7)] == [True] * 7
    assert max(read) <= 3
