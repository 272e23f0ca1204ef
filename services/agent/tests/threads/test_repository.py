from __future__ import annotations

import pytest
from services.agent.tests.runs_bench import VIEWER, bench

from agent.errors import ThreadNotFound
from agent.threads import repository as threads
from agent.threads.messages import user
from agent.threads.repository import Viewer
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

NOW = ManualClock().now()
LIMITED = Viewer("acme", "key_2", limited=True)


async def test_messages_are_appended_in_order_and_listed_from_a_position(database: Database) -> None:
    async with database.write() as connection:
        thread = await threads.create_thread(connection, VIEWER, {"topic": "leave"}, NOW)
        for text in ("one", "two", "three"):
            await threads.append_messages(connection, thread.id, "run", [user(text)], NOW)
        assert [one["content"] for one in await threads.list_messages(connection, thread.id, 1, 10)] == ["two", "three"]
        page = await threads.list_history(connection, VIEWER, thread.id, 2, None)
        rest = await threads.list_history(connection, VIEWER, thread.id, 2, page.next_cursor)
        assert [one.content for one in (*page.data, *rest.data)] == ["one", "two", "three"]


async def test_the_history_of_one_run_is_what_was_said_in_it_by_pages(database: Database) -> None:
    async with database.write() as connection:
        thread = await threads.create_thread(connection, VIEWER, {}, NOW)
        for run, text in (("a", "one"), ("b", "two"), ("a", "three"), ("b", "four")):
            await threads.append_messages(connection, thread.id, run, [user(text)], NOW)
        page = await threads.list_history(connection, VIEWER, thread.id, 1, None, run_id="b")
        rest = await threads.list_history(connection, VIEWER, thread.id, 1, page.next_cursor, run_id="b")
        assert [(one.content, one.position) for one in (*page.data, *rest.data)] == [("two", 1), ("four", 3)]
        assert rest.next_cursor is None
        assert (await threads.list_history(connection, VIEWER, thread.id, 9, None, run_id="c")).data == []


async def test_calls_and_their_results_are_read_as_they_were(database: Database) -> None:
    call = {"id": "c", "name": "add", "arguments": {"n": [1.5, None, "\u2028 é"]}}
    said = [
        {"role": "assistant", "content": "", "calls": [call]},
        {"role": "tool", "call_id": "c", "name": "add", "content": "3"},
    ]
    async with database.write() as connection:
        thread = await threads.create_thread(connection, VIEWER, {}, NOW)
        await threads.append_messages(connection, thread.id, "run", said, NOW)
        assert await threads.list_messages(connection, thread.id, 0, 10) == said


async def test_a_shorter_summary_never_replaces_a_longer_one(database: Database) -> None:
    async with database.write() as connection:
        thread = await threads.create_thread(connection, VIEWER, {}, NOW)
        for text, count in (("long", 4), ("short", 2)):
            await connection.run(threads.update_summary, thread.id, text, count)
        assert await threads.get_summary(connection, thread.id) == ("long", 4)


@pytest.mark.parametrize(("known", "summary"), [(1, ("", 0)), (2, ("In short.", 2))])
async def test_a_copy_has_the_first_messages_as_they_were_and_a_summary_of_no_more_than_it_may(
    database: Database, known: int, summary: tuple[str, int]
) -> None:
    said = [user("one"), {"role": "assistant", "content": "two", "groundwork": {"model": "m"}}, user("three")]
    async with database.write() as connection:
        thread = await threads.create_thread(connection, VIEWER, {"title": "Mine"}, NOW)
        await threads.append_messages(connection, thread.id, "run", said, NOW)
        await connection.run(threads.update_summary, thread.id, "In short.", 2)
        source = await threads.get_thread(connection, VIEWER, thread.id)
        copy = await threads.copy_thread(connection, LIMITED, source, 2, NOW, summarised=known)
        assert (copy.messages, copy.metadata) == (2, {})
        assert await threads.get_summary(connection, copy.id) == summary
        first = (await threads.list_history(connection, VIEWER, thread.id, 2, None)).data
        assert (await threads.list_history(connection, LIMITED, copy.id, 9, None)).data == first
        await threads.append_messages(connection, copy.id, "other", [user("four")], NOW)
        assert (await threads.list_history(connection, LIMITED, copy.id, 9, None)).data[2].position == 2


async def test_others_and_limited_keys_see_none_of_it(database: Database) -> None:
    async with database.write() as connection:
        thread = await threads.create_thread(connection, VIEWER, {}, NOW)
        await threads.create_thread(connection, VIEWER, {}, NOW, transient=True)
        assert [one.id for one in (await threads.list_threads(connection, VIEWER, 10, None)).data] == [thread.id]
        for other in (Viewer("rival", "key_1"), LIMITED):
            assert (await threads.list_threads(connection, other, 10, None)).data == []
            with pytest.raises(ThreadNotFound):
                await threads.delete_thread(connection, other, thread.id)


async def test_a_deleted_thread_names_the_runs_that_go_with_it(database: Database) -> None:
    one = bench(database)
    await one.define()
    run = await one.start()
    async with database.write() as connection:
        assert await threads.delete_thread(connection, VIEWER, run.thread_id) == [run.id]


async def test_a_message_s_size_is_what_models_read_of_it(database: Database) -> None:
    call = {"id": "c", "name": "add", "arguments": {"n": 1}}
    said = [
        {"role": "user", "content": "é" * 7},
        {"role": "assistant", "content": "", "calls": [call]},
        {"role": "assistant", "content": "Ten.", "groundwork": {"long": "x" * 1000}},
    ]
    async with database.write() as connection:
        thread = await threads.create_thread(connection, VIEWER, {}, NOW)
        await threads.append_messages(connection, thread.id, "", said, NOW)
        sizes = await threads.list_sizes(connection, thread.id, 0)
        assert sizes[::2] == [("user", 7), ("assistant", 4)]
        assert sizes[1].role == "assistant"
        assert 20 < sizes[1].chars < 80
        assert await threads.list_sizes(connection, thread.id, 1, 1) == sizes[1:2]
