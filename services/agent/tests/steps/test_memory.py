from __future__ import annotations

from services.agent.tests.runs_bench import Bench

from agent.steps.memory import SUMMARY_SHARE
from agent.testing.scripted_agents import ScriptedAgent, Turn
from agent.threads import repository as threads
from contracts.models.chat import ChatRequest
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


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
