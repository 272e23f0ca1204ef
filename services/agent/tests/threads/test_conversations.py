from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from services.agent.tests.runs_bench import VIEWER, bench

from agent.errors import ThreadBusy, ThreadNotFound
from agent.threads import conversations, retention
from agent.threads import repository as threads
from agent.threads.errors import MessagesOfRuns, MetadataTooLong, PositionBeyondEnd, ThreadChanged, ThreadTooLarge
from agent.threads.repository import Viewer
from contracts.access.delegation import Delegation
from contracts.agents.runs import HistoryMessage, MessagesCreate, Thread
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

NOW = ManualClock().now()
QUESTION = {"role": "user", "content": "How long?"}
ANSWER = {
    "role": "assistant",
    "content": "Ten days [1].",
    "annotations": [{"marker": "[1]", "start": 3, "end": 7, "quote": "🦆 ten"}],
    "groundwork": {"grounded": True, "receipt": {"cost_usd": None, "stages": []}},
    "metadata": {"model": "rag:handbook"},
}


async def _thread(database: Database, viewer: Viewer = VIEWER, **metadata: Any) -> str:
    async with database.write() as connection:
        return (await threads.create_thread(connection, viewer, metadata, NOW)).id


async def _add(database: Database, thread: str, *messages: Any, viewer: Viewer = VIEWER, **more: Any) -> Thread:
    new = MessagesCreate(messages=list(messages), **more)
    async with database.write() as connection:
        return await conversations.add_messages(connection, viewer, thread, new, NOW)


async def _history(database: Database, thread: str) -> list[HistoryMessage]:
    async with database.read() as connection:
        return (await threads.list_history(connection, VIEWER, thread, 100, None)).data


async def test_an_answer_comes_back_as_it_was(database: Database) -> None:
    thread = await _thread(database)
    assert (await _add(database, thread, QUESTION, ANSWER)).messages == 2
    asked, answered = await _history(database, thread)
    assert (asked.role, asked.content, asked.annotations, asked.run_id) == ("user", "How long?", None, None)
    shown = answered.model_dump(include=set(ANSWER))
    assert shown == ANSWER


async def test_messages_from_a_position_on_are_replaced_and_no_gap_is_left(database: Database) -> None:
    thread = await _thread(database)
    await _add(database, thread, QUESTION, ANSWER, QUESTION, ANSWER)
    other = {"role": "user", "content": "How short?"}
    assert (await _add(database, thread, other, position=2)).messages == 3
    assert [one.content for one in await _history(database, thread)] == ["How long?", "Ten days [1].", "How short?"]
    with pytest.raises(PositionBeyondEnd):
        await _add(database, thread, other, position=4)


async def test_who_does_not_know_of_all_messages_replaces_none(database: Database) -> None:
    thread = await _thread(database)
    await _add(database, thread, QUESTION, known=0)
    await _add(database, thread, ANSWER, known=1)
    with pytest.raises(ThreadChanged):
        await _add(database, thread, QUESTION, position=1, known=1)
    assert len(await _history(database, thread)) == 2


async def test_who_has_not_seen_a_replacement_of_as_many_messages_replaces_none(database: Database) -> None:
    thread = await _thread(database)
    seen = await _add(database, thread, QUESTION, ANSWER, QUESTION, ANSWER)
    other = {"role": "user", "content": "How short?"}
    changed = await _add(database, thread, other, ANSWER, position=2, known=seen.revision)
    assert (changed.messages, changed.revision) == (4, 6)
    with pytest.raises(ThreadChanged, match="revision 6, not 4"):
        await _add(database, thread, QUESTION, position=2, known=seen.revision)
    assert (await _history(database, thread))[2].content == "How short?"
    assert (await _add(database, thread, QUESTION, known=changed.revision)).messages == 5


async def test_a_key_changes_no_other_key_s_conversation(database: Database) -> None:
    thread, other = await _thread(database, title="Leave"), Viewer(VIEWER.tenant, "key_other")
    await _add(database, thread, QUESTION)
    async with database.read() as connection:
        await threads.get_thread(connection, other, thread)
    for where in ({}, {"position": 0}):
        with pytest.raises(ThreadNotFound):
            await _add(database, thread, ANSWER, viewer=other, **where)
    with pytest.raises(ThreadNotFound):
        async with database.write() as connection:
            await conversations.update_thread(connection, other, thread, {"title": "Mine"}, NOW)
    assert [one.content for one in await _history(database, thread)] == ["How long?"]


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", " JAVA\tSCRIPT:alert(1)", "data:text/html,x", "file:///etc"]
)
def test_addresses_of_citations_are_of_the_web(address: str) -> None:
    for extras in (
        {"annotations": [{"url_citation": {"url": address}}]},
        {"groundwork": {"sources": [{"url": address}]}},
    ):
        with pytest.raises(ValidationError, match=r"must be an http\(s\) or a relative address"):
            MessagesCreate.model_validate({"messages": [{**ANSWER, **extras}]})
    for fine in ("https://a.example/x", "HTTP://a.example", "/v1/documents/doc_1", "pages/1#a", ""):
        MessagesCreate.model_validate({"messages": [{**ANSWER, "annotations": [{"url": fine, "source": "C:\\a.pdf"}]}]})
    with pytest.raises(ValidationError, match="`source` must be a name"):
        MessagesCreate.model_validate({"messages": [{**ANSWER, "annotations": [{"source": "javascript:alert(1)"}]}]})


def test_a_message_is_bounded_and_a_question_is_not_empty() -> None:
    for message, problem in (
        ({**QUESTION, "content": "x" * 100_001}, "100000 characters"),
        ({**ANSWER, "annotations": [{"quote": "é" * 40_000}], "groundwork": {"a": "é" * 30_000}}, "131,072 are kept"),
        ({**QUESTION, "content": " "}, "must not be empty"),
    ):
        with pytest.raises(ValidationError, match=problem):
            MessagesCreate.model_validate({"messages": [message]})
    MessagesCreate.model_validate({"messages": [{**ANSWER, "content": ""}]})


async def test_a_thread_s_bytes_are_bounded_and_what_is_replaced_counts_no_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "MOST_BYTES", 1000)
    thread, long = await _thread(database), {"role": "user", "content": "é" * 100}
    await _add(database, thread, long)
    with pytest.raises(ThreadTooLarge, match="Begin another one"):
        await _add(database, thread, long)
    await _add(database, thread, long, position=0)


async def test_a_page_of_history_ends_at_some_bytes_and_the_next_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "PAGE_BYTES", 250)
    thread = await _thread(database)
    contents = ["a", "b" * 300, "c" * 60, "d" * 60, "e" * 60]
    await _add(database, thread, *({"role": "user", "content": content} for content in contents))
    pages, cursor = list[list[str]](), None
    while cursor or not pages:
        async with database.read() as connection:
            page = await threads.list_history(connection, VIEWER, thread, 3, cursor)
        pages.append([one.content[0] for one in page.data])
        cursor = page.next_cursor
    assert pages == [["a"], ["b"], ["c", "d"], ["e"]]


async def test_models_read_no_citations_and_receipts(database: Database) -> None:
    thread = await _thread(database)
    await _add(database, thread, QUESTION, ANSWER)
    async with database.read() as connection:
        read = await threads.list_messages(connection, thread, 0, 10)
    assert read == [QUESTION, {"role": "assistant", "content": "Ten days [1]."}]


async def test_a_summary_of_what_is_replaced_goes_with_it(database: Database) -> None:
    thread = await _thread(database)
    await _add(database, thread, QUESTION, ANSWER, QUESTION)
    async with database.write() as connection:
        await connection.run(threads.update_summary, thread, "Of two.", 2)
    await _add(database, thread, ANSWER, position=2)
    async with database.read() as connection:
        assert await threads.get_summary(connection, thread) == ("Of two.", 2)
    await _add(database, thread, QUESTION, position=1)
    async with database.read() as connection:
        assert await threads.get_summary(connection, thread) == ("", 0)


async def test_what_a_run_said_stays_and_nothing_is_added_while_it_speaks(database: Database) -> None:
    one = bench(database, "Done.")
    await one.define()
    run = await one.start()
    with pytest.raises(ThreadBusy):
        await _add(database, run.thread_id, QUESTION)
    await one.work()
    with pytest.raises(MessagesOfRuns):
        await _add(database, run.thread_id, QUESTION, position=1)
    await _add(database, run.thread_id, QUESTION, ANSWER)
    assert [one.run_id is None for one in await _history(database, run.thread_id)] == [False, False, True, True]


async def test_metadata_changes_field_by_field_and_stays_short(database: Database) -> None:
    thread = await _thread(database, title="Old", user="Zoë")
    async with database.write() as connection:
        new = {"title": "New", "user": None}
        changed = await conversations.update_thread(connection, VIEWER, thread, new, NOW)
        assert changed.metadata == {"title": "New"}
    async with database.write() as connection:
        await conversations.update_thread(connection, VIEWER, thread, {"a": "x" * 9000}, NOW)
    async with database.write() as connection:
        with pytest.raises(MetadataTooLong):
            await conversations.update_thread(connection, VIEWER, thread, {"b": "x" * 9000}, NOW)


async def test_a_key_that_may_only_chat_has_its_own_conversations_alone(database: Database) -> None:
    def of(key: str, *scopes: Any) -> Viewer:
        facts = {"audiences": ("agent",), "tenant": VIEWER.tenant, "key_id": key, "request_id": "r"}
        return Viewer.of(Delegation(scopes=scopes, **facts))

    chats, runs = of("key_chat", "chat"), of("key_runs", "chat", "agents")
    theirs, mine = await _thread(database), await _thread(database, chats)
    await _add(database, mine, QUESTION, viewer=chats)
    with pytest.raises(ThreadNotFound):
        await _add(database, theirs, QUESTION, viewer=chats)
    async with database.read() as connection:

        async def seen(viewer: Viewer, **only: bool) -> list[str]:
            page = await threads.list_threads(connection, viewer, 10, None, **only)
            return [thread.id for thread in page.data]

        assert await seen(chats) == [mine]
        assert await seen(runs) == [mine, theirs]
        assert await seen(runs, mine=True) == []


async def test_conversations_go_with_their_tenant(database: Database) -> None:
    thread = await _thread(database)
    await _add(database, thread, QUESTION, ANSWER)
    await retention.delete_tenant(database, VIEWER.tenant, [])
    async with database.read() as connection:
        assert await threads.list_messages(connection, thread, 0, 10) == []
