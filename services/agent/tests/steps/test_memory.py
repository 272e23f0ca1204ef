from __future__ import annotations

import tracemalloc

from services.agent.tests.runs_bench import Bench

from agent.steps.memory import MAX_SUMMED_CHARS, SUMMARY_SHARE
from agent.testing.scripted_agents import ScriptedAgent, Turn
from agent.threads import repository as threads
from agent.threads.messages import user
from contracts.models.chat import ChatRequest
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

_SAID = [{"role": "assistant", "content": "Aye."}]


def _talk(request: ChatRequest) -> Turn:
    """Sums up when asked to; looks for the code word when asked for it; else says something long."""
    asked = request.messages[-1].plain_text()
    if asked.startswith("Sum up"):
        return Turn("They spoke about ships. " * 200)
    if asked == "What was the code word?":
        return Turn("", [("search_history", {"query": "code word"})])
    if request.messages[-1].role == "tool":
        return Turn(f"I found: {asked}")
    return Turn("Ships sail. " * 60)


async def test_what_a_model_reads_of_a_thread_is_bounded_and_what_was_said_is_still_found(database: Database) -> None:
    room = 600
    one = Bench(database, ScriptedAgent(_talk), ManualClock())
    await one.define(memory={"max_tokens": room})
    thread = await one.thread()
    await one.run("The code word is marmalade.", thread=thread)
    for number in range(8):
        await one.run(f"Tell me more about ship {number}.", thread=thread)
        asked = one.model.requests[-1]
        read = sum(len(message.plain_text()) for message in asked.messages[1:-1]) // 4
        assert read <= room * 1.1
        assert len(asked.messages[0].plain_text()) // 4 < 400 + room // SUMMARY_SHARE
    assert "spoke about ships" in one.model.requests[-1].messages[0].plain_text()
    assert not any("marmalade" in message.plain_text() for message in one.model.requests[-1].messages)
    run = await one.run("What was the code word?", thread=thread)
    assert run.status == "completed"
    assert "marmalade" in (run.output or "")
    async with database.read() as connection:
        _, done = await threads.get_summary(connection, thread)
    history = await one.history(thread)
    assert 0 < done < len(history)
    assert history[0].content == "The code word is marmalade."


async def test_a_run_s_past_has_no_answers_without_words(database: Database) -> None:
    one = Bench(database, ScriptedAgent(_talk), ManualClock())
    await one.define()
    thread = await one.thread()
    answer = {"role": "assistant", "content": "Ten days.", "annotations": [{"quote": "ten"}], "groundwork": {"a": 1}}
    stopped = {"role": "assistant", "content": ""}
    async with database.write() as connection:
        said = [user("How long?"), answer, user("And then?"), stopped]
        await threads.append_messages(connection, thread, "", said, one.clock.now())
    await one.run("Go on.", thread=thread)
    assert [message.plain_text() for message in one.model.requests[-1].messages[1:]] == [
        "How long?",
        "Ten days.",
        "And then?",
        "Go on.",
    ]


async def _peak_bytes(one: Bench, thread: str) -> int:
    """The most memory that a run on the thread has at once, besides what was there."""
    await one.run("Warm up.")
    tracemalloc.start()
    try:
        run = await one.run("Go on.", thread=thread)
        assert run.status == "completed"
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_a_long_past_is_read_only_as_far_as_a_model_reads_it(database: Database) -> None:
    one = Bench(database, ScriptedAgent(_talk), ManualClock())
    await one.define(memory={"max_tokens": 600})
    thread, long = await one.thread(), "Ships. " * 14_000
    async with database.write() as connection:
        for number in range(100):
            await threads.append_messages(connection, thread, "", [user(f"{number} {long}")], one.clock.now())
        await threads.append_messages(connection, thread, "", [user("The last."), *_SAID], one.clock.now())
    assert await _peak_bytes(one, thread) < 4_000_000  # of 10,000,000
    summed, asked = one.model.requests[-2:]
    assert summed.messages[-1].plain_text().endswith("Ships. Ships. ")
    assert [message.plain_text() for message in asked.messages[1:]] == ["The last.", "Aye.", "Go on."]
    async with database.read() as connection:
        assert (await threads.get_summary(connection, thread))[1] == 100


async def test_a_summary_stands_for_the_one_before_it_however_much_was_said_since(database: Database) -> None:
    one = Bench(database, ScriptedAgent(_talk), ManualClock())
    await one.define(memory={"max_tokens": 600})
    thread = await one.thread()
    async with database.write() as connection:
        said = [user("Short."), *(user("Ships. " * 3_000) for _ in range(5))]
        await threads.append_messages(connection, thread, "", said, one.clock.now())
        await connection.run(threads.update_summary, thread, "The code word is marmalade.", 1)
    await one.run("Go on.", thread=thread)
    summed = one.model.requests[-2].messages[-1].plain_text()
    assert "Before: The code word is marmalade." in summed
    assert len(summed) < MAX_SUMMED_CHARS + 1000
