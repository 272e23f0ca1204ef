from __future__ import annotations

from typing import Any

from services.agent.tests.payments import Till, killed_in_the_middle
from services.agent.tests.runs_bench import PRINCIPAL, VIEWER, Bench, bench

from agent.runs import replays, sources
from agent.runs import repository as runs
from agent.runs.sources import bounded, list_sources
from agent.testing.memory_library import MemoryLibrary
from agent.testing.scripted_agents import Turn
from agent.testing.scripted_answers import ScriptedSearch, hit
from contracts.agents.runs import MOST_SOURCES, Run, RunReplay, RunSource
from contracts.documents.documents import DocumentChunk
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

SEARCH = Turn("", [("search_documents", {"query": "leave"})])
READ = Turn("", [("read_document", {"collection": "handbook", "document_id": "sick"})])
TOOLS = [{"type": "search_documents", "collections": ["handbook"]}, "read_document"]
PAGE = DocumentChunk(chunk_id="sick#0", ordinal=0, revision=3, text="Sick leave is paid.", start=0, end=19, page=1)
FOUND = hit("27 days of leave.", "leave")


def _bench(database: Database, *turns: Turn | str, **more: Any) -> Bench:
    library = MemoryLibrary({("handbook", "sick"): [PAGE]})
    return bench(database, *turns, search=ScriptedSearch([FOUND]), library=library, **more)


async def _documents(one: Bench, run: Run) -> list[str]:
    async with one.database.read() as connection:
        found = await list_sources(connection, dict(await runs.get_run(connection, run.thread_id, run.id)))
    return [source.document_id for source in found]


async def test_a_run_is_told_for_its_record_with_the_passages_that_its_tools_found_and_read_each_once(
    database: Database,
) -> None:
    one = _bench(database, SEARCH, READ, SEARCH, "27 days.")
    one.tokens.records = True
    await one.define(tools=TOOLS)
    await one.run()
    await one.agents.recorder.all_sent()
    ((_, _, told),) = one.tokens.recorded
    found, read = told
    assert (found.collection, found.document_id, found.text, found.score) == (
        "handbook", "leave", FOUND.text, FOUND.score,
    )  # fmt: skip
    assert (found.revision, found.chunk_id, found.title) == (FOUND.revision, FOUND.chunk_id, FOUND.title)
    assert (read.document_id, read.revision, read.chunk_id, read.page) == ("sick", 3, "sick#0", 1)
    assert (read.text, read.start, read.end, read.score) == (PAGE.text, 0, 19, None)


async def test_what_was_found_before_a_process_died_is_still_named_once_another_has_ended_the_run(
    database: Database,
) -> None:
    clock, till = ManualClock(), Till("safe", held=True)
    turn = Turn("", [("search_documents", {"query": "leave"}), ("pay", {"amount": 2})])
    first = _bench(database, turn, "Done.", tools={"pay": till}, clock=clock)
    await first.define(tools=TOOLS)
    run = await first.start()
    await killed_in_the_middle(first, till)
    second = _bench(database, turn, "Done.", tools={"pay": till}, clock=clock)
    await second.work()
    assert (await second.shown(run)).status == "completed"
    assert second.search.requests == [], "its result was kept"
    assert await _documents(second, run) == ["leave"]


async def test_a_run_names_also_what_earlier_runs_of_its_thread_had_found_which_its_model_reads(
    database: Database,
) -> None:
    one = _bench(database, SEARCH, "27 days.", READ, "It is paid.", "As I said: 27 days.")
    await one.define(tools=TOOLS)
    first = await one.run()
    second = await one.run("And sick leave?", thread=first.thread_id)
    third = await one.run("How much was it?", thread=first.thread_id)
    assert [run.tool_calls for run in (first, second, third)] == [1, 1, 0]
    assert "27 days of leave." in str(one.model.requests[-1].messages)
    assert await _documents(one, first) == ["leave"], "nothing of later ones"
    assert await _documents(one, second) == ["sick", "leave"], "its own first"
    assert await _documents(one, third) == ["sick", "leave"]
    assert await _documents(one, await one.run()) == ["leave"], "nothing of other threads"


async def test_a_replay_names_what_it_took_over_and_no_more_of_the_run(database: Database) -> None:
    one = _bench(database, SEARCH, READ, "27 days.")
    await one.define(tools=TOOLS)
    run = await one.run()
    for after, documents in ((0, []), (1, ["leave"]), (2, ["sick", "leave"])):
        replay = await _replayed(one, run, after)
        assert await _documents(one, replay) == documents, after
        assert await _documents(one, await _replayed(one, replay, 0)) == documents, "of a replay"


async def _replayed(one: Bench, run: Run, after: int) -> Run:
    """A replay that is ended before it begins, so that all of its passages are those that it took over."""
    async with one.database.write() as connection:
        row = dict(await runs.get_run(connection, run.thread_id, run.id))
        wanted = RunReplay(after=after)
        made = await replays.create_replay(connection, VIEWER, PRINCIPAL, row, wanted, one.clock.now())
    return await one.cancel(runs.to_run(dict(made)))


def _source(document_id: str, at: int, text: str = "x") -> RunSource:
    facts = {"collection": "a", "document_id": document_id, "revision": 1, "chunk_id": f"{document_id}#{at}"}
    return RunSource.model_validate({**facts, "text": text, "start": at, "end": at + len(text)})


def test_passages_are_bounded_and_no_document_goes_unnamed_for_anothers() -> None:
    found = [*(_source("long", at) for at in range(MOST_SOURCES + 50)), _source("last", 0), _source("last", 0)]
    kept = bounded(found)
    assert len(kept) == MOST_SOURCES
    assert [one.chunk_id for one in kept[:3]] == ["long#0", "last#0", "long#1"]
    texts = [_source(str(at), 0, "y" * (sources.MOST_TEXT_CHARS // 2)) for at in range(3)]
    assert [one.text is None for one in bounded(texts)] == [False, False, True], "named without its words"
