from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

import pytest
from services.lab.tests.generation.asking import ACME, OWNER, Bench, ask_well

from contracts.core.errors import ErrorBody
from contracts.improvement.question_generation import MOST_OWN_LABELS, GenerationReview
from contracts.improvement.question_sets import QuestionSetCreate
from lab.dependencies import Dependencies
from lab.evaluations.measures import Said
from lab.evaluations.target import Answered
from lab.generation import repository
from lab.generation.passages import SPARE, Choice
from lab.questions.likeness import Words, conversation_words
from lab.tables import GENERATION_JOBS
from servicekit.core.clock import ManualClock
from servicekit.core.errors import Forbidden, NotFound, RateLimited, UpstreamFailed
from servicekit.jobs.cancellation import request_cancel

LABELS = [f"label{n}" for n in range(MOST_OWN_LABELS - 1)]
REFUSED = ErrorBody(type="invalid_request", code="invalid_body", message="No chat model.")


@pytest.fixture
def bench(opened: Dependencies) -> Bench:
    return Bench(opened)


async def test_each_passage_is_asked_about_once_and_what_is_found_again_is_proposed(bench: Bench) -> None:
    run = await bench.start()
    assert (await bench.shown(run)).status == "queued"
    assert await bench.work()
    shown = await bench.shown(run)
    assert (shown.status, shown.passages, shown.done, shown.kept) == ("completed", 4, 4, 4)
    assert (shown.made_by, shown.states) == ({"model": 3, "rule": 1}, {"proposed": 4})
    requests = len(bench.writer.requests)
    assert (shown.cost_usd, shown.prompt_tokens) == (f"0.00{requests}", 5 * requests)
    assert set(bench.writer.asked.values()) == {1}
    items = {item.question: item for item in await bench.items(run)}
    rule = items["How many days of paid leave do full-time employees receive per calendar year?"]
    assert (rule.made_by, rule.answers, rule.answerable) == ("rule", ["27 days of paid leave"], True)
    made = items["How often is the oil of the Nordvik pump changed?"]
    assert (made.made_by, made.answers) == ("model", ["14 months"])
    assert made.why.startswith("A search finds its passage at place 1, and the answer cites it: ")
    assert made.span is not None
    assert bench.library.texts["pumps"][made.span.start : made.span.end] == made.span.text
    assert all(name.startswith(f"{run}.") for name in bench.writer.requests)
    assert not await bench.work(), "it is over"


@pytest.mark.parametrize(
    ("wrote", "reason"),
    [
        ("The office is closed.", "no_question"),
        ("What is said in this passage about leave?", "about_the_text"),
        ("When is it closed by the office?", "unclear"),
        ("Why was the Bergen office moved to Stavanger?", "invents"),
    ],
)
async def test_questions_that_nobody_would_ask_are_refused_and_counted_by_reason(
    bench: Bench, wrote: str, reason: str
) -> None:
    bench.writer.ask_for = lambda fact: wrote if "Bergen" in fact else ask_well(fact)
    run = await bench.start()
    await bench.work()
    shown = await bench.shown(run)
    assert (shown.status, shown.kept, shown.dropped) == ("completed", 3, {reason: 1})
    (dropped,) = await bench.items(run, "dropped")
    assert (dropped.reason, dropped.span) == (reason, None), "of what is dropped no document's words are kept"


async def test_only_what_search_and_reader_find_again_is_kept(bench: Bench) -> None:
    bench.library.blind = True
    blind = await bench.start()
    await bench.work()
    assert (await bench.shown(blind)).dropped == {"not_found": 4}
    bench.library.blind = False
    elsewhere = {"document_id": "leave", "revision": 9, "start": 0, "end": 500}
    answers = {
        "not_answered": Answered(Said("The documents do not say.", abstained=True), 1.0),
        "other_passage": Answered(Said("27 days"), 1.0, citations=[elsewhere]),
    }
    for reason, answer in answers.items():
        bench.writer.read = lambda question, answer=answer: answer  # type: ignore[misc]
        run = await bench.start()
        await bench.work()
        assert (await bench.shown(run)).dropped == {reason: 4}


async def test_what_any_version_or_split_of_the_set_asks_is_not_proposed_again(bench: Bench) -> None:
    asked = [{"question": "how often is oil of Nordvik pump changed", "split": "train"}]
    for items in (asked, [{"question": "Something else?"}]):
        body = QuestionSetCreate.model_validate({"name": "policies", "items": items})
        await bench.opened.question_sets.save(ACME, body)
    first = await bench.start(split="test")
    await bench.work()
    assert (await bench.shown(first)).dropped == {"asks_the_same": 1}
    second = await bench.start(seed=7)
    await bench.work()
    assert (await bench.shown(second)).dropped == {"asks_the_same": 4}, "and not by a second run either"


async def test_near_misses_have_what_no_document_has_and_no_answers(bench: Bench) -> None:
    run = await bench.start(near_misses=2)
    await bench.work()
    shown = await bench.shown(run)
    assert (shown.kept, shown.kept_near_misses) == (4, 2)
    misses = [item for item in await bench.items(run, "proposed") if not item.answerable]
    assert len(misses) == 2
    numbers = {item.number: item for item in await bench.items(run)}
    for miss in misses:
        assert (miss.made_by, miss.answers, miss.state) == ("rule", [], "proposed")
        assert miss.like is not None
        new = miss.why.split("'")[1]
        assert new in (miss.question or "")
        assert not any(new in text for text in bench.library.texts.values())
        assert numbers[miss.like].question != miss.question


async def test_a_swap_that_the_documents_have_is_no_near_miss(bench: Bench) -> None:
    everything = "Marlow Tessin Oberlin Brackett Lindgren Sorrel Halvorsen Quillan Pemberton Castellan Draycott"
    everything += " apprentices trainees interns volunteers pensioners freelancers consultants visitors suppliers"
    everything += " Ellesmere Farrow Gilroy Hathaway Ibarra Jessop Kestevan Lomax Merriden Norwood Ostrava Penrith"
    bench.library.texts["names"] = f"# Names\n\n{everything} Ravello Sandoval Tremaine Ulverston\n"
    run = await bench.start(near_misses=4)
    await bench.work()
    shown = await bench.shown(run)
    assert shown.kept_near_misses == 0
    assert shown.dropped["in_the_documents"] >= 1


async def test_what_was_made_before_a_worker_died_is_not_made_again(bench: Bench, clock: ManualClock) -> None:
    bench.at_once = 1
    run = await bench.start(near_misses=2)
    bench.writer.ask_for = lambda fact: ask_well(fact) if len(bench.writer.asked) < 3 else _dies()
    await bench.work("a worker that dies")
    before = {item.number: item for item in await bench.items(run)}
    assert 0 < len(before) < 4
    bench.writer.ask_for = ask_well
    clock.advance(3600)
    assert await bench.work("another")
    shown = await bench.shown(run)
    assert (shown.status, shown.kept, shown.kept_near_misses) == ("completed", 4, 2)
    after = {item.number: item for item in await bench.items(run)}
    assert all(after[number] == item for number, item in before.items())
    assert len(set(bench.writer.requests)) == len(bench.writer.requests), "each attempt is known by an id of its own"


def _dies() -> str:
    raise RuntimeError("the process is gone")


async def test_a_budget_ends_a_run_and_leaves_what_was_made(bench: Bench) -> None:
    run = await bench.start(budget_usd="0.002")
    await bench.work()
    shown = await bench.shown(run)
    assert (shown.status, shown.budget_usd) == ("limit_reached", "0.002")
    assert 0 < shown.kept < 4
    assert shown.states == {"proposed": shown.kept}, "what was not asked about is nothing"


async def test_a_collection_that_is_unknown_or_empty_and_a_key_that_is_gone_are_said(bench: Bench) -> None:
    unknown = await bench.start(collection="nothing")
    await bench.work()
    assert (await bench.shown(unknown)).status == "failed"
    bench.library.texts = {"empty": "# Only a heading\n"}
    empty = await bench.start()
    await bench.work()
    error = (await bench.shown(empty)).error
    assert error is not None
    assert error.code == "nothing_to_ask"
    bench.meter.refused = Forbidden("The key was revoked.")
    revoked = await bench.start()
    await bench.work()
    shown = await bench.shown(revoked)
    assert (shown.status, shown.passages) == ("failed", 0)


async def test_a_model_that_goes_away_in_the_middle_ends_the_run_and_what_was_made_can_be_reviewed(
    bench: Bench,
) -> None:
    bench.at_once = 1
    gone = NotFound("There is no model 'small'.")
    bench.writer.ask_for = lambda fact: ask_well(fact) if len(bench.writer.asked) < 2 else gone
    run = await bench.start(model="small")
    await bench.work()
    shown = await bench.shown(run)
    assert (shown.status, shown.error and shown.error.message) == ("failed", "There is no model 'small'.")
    assert shown.kept > 0
    await bench.opened.generations.review(ACME, "policies", run, GenerationReview(accept_all=True))
    saved, new = await bench.opened.generations.save(ACME, OWNER, "policies", run)
    assert (saved.questions, new) == (shown.kept, True)


async def test_a_limit_is_waited_for_and_a_call_that_breaks_costs_one_passage(
    bench: Bench, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.generation.maker.PAUSE_SECONDS", 0)
    bench.writer.ask_for = lambda fact: RateLimited("Too many.", retry_after=1) if "Berg" in fact else ask_well(fact)
    run = await bench.start()
    await bench.work()
    assert (await bench.shown(run)).status == "queued"
    bench.writer.ask_for = lambda fact: UpstreamFailed("Broken.") if "Tromso" in fact else ask_well(fact)
    clock.advance(60)
    await bench.work()
    shown = await bench.shown(run)
    assert (shown.status, shown.kept, shown.dropped) == ("completed", 3, {"call_failed": 1})


async def test_a_model_that_refuses_from_the_first_ends_the_run_with_its_words(bench: Bench) -> None:
    bench.writer.ask_for = lambda fact: Answered(Said(""), 1.0, error=REFUSED)
    bench.library.texts = {f"d{n}": f"The Nordvik depot in row {n}0 opens at nine on Mondays.\n" for n in range(6)}
    run = await bench.start()
    await bench.work()
    shown = await bench.shown(run)
    assert (shown.status, shown.error and shown.error.code) == ("failed", "model_refuses")
    assert shown.error is not None
    assert "No chat model. [invalid_body]" in shown.error.message


async def test_one_that_is_cancelled_while_it_waits_or_works_keeps_what_it_made(
    bench: Bench, clock: ManualClock
) -> None:
    waiting = await bench.start()
    assert (await bench.opened.generations.cancel(ACME, "policies", waiting)).status == "cancelled"
    bench.at_once = 1
    begun = await bench.start()
    bench.writer.ask_for = lambda fact: (
        ask_well(fact) if len(bench.writer.asked) < 2 else RateLimited("Too many.", retry_after=1)
    )
    await bench.work()
    assert (await bench.shown(begun)).status == "queued"
    await bench.opened.generations.cancel(ACME, "policies", begun)
    assert await bench.work(), "it is claimed once more, to be summed up"
    shown = await bench.shown(begun)
    assert shown.status == "cancelled"
    assert shown.kept > 0
    assert shown.cost_usd == f"0.00{len(bench.writer.requests)}"


async def test_a_cancel_that_was_accepted_at_the_very_end_is_kept_to(bench: Bench) -> None:
    begun = ""

    async def cancel() -> None:
        await bench.opened.generations.cancel(ACME, "policies", begun)

    begun = await bench.start()
    bench.meter.before_spent = cancel
    await bench.work()
    assert (await bench.shown(begun)).status == "cancelled"
    bench.meter.before_spent = None
    bench.at_once = 1
    begun = await bench.start(name="others", accept=True, budget_usd="9")
    seen = 0

    async def cancel_elsewhere() -> None:
        nonlocal seen
        seen += 1
        if seen == 4:  # before the last passage, by another replica: nobody is woken here
            async with bench.opened.database.write() as connection:
                assert await request_cancel(connection, GENERATION_JOBS, begun) is not None

    bench.meter.before_spent = cancel_elsewhere
    await bench.work()
    shown = await bench.shown(begun, "others")
    assert (shown.status, shown.version, shown.states) == ("cancelled", None, {"proposed": 4})


async def test_one_that_dies_while_it_chooses_goes_on_with_the_next_document(bench: Bench, clock: ManualClock) -> None:
    bench.library.texts = {f"d{n}": f"The Nordvik depot in row {n}0 opens at nine on Mondays.\n" for n in range(8)}
    run = await bench.start()
    bench.library.before_chunks = lambda document_id: _dies() if len(bench.library.read) > 4 else None
    await bench.work("a worker that dies")
    assert await bench.items(run) == []
    assert (await bench.shown(run)).passages == 0
    bench.library.before_chunks = lambda document_id: None
    clock.advance(3600)
    await bench.work("another")
    assert (await bench.shown(run)).passages == 8
    assert [count for count in Counter(bench.library.read).values() if count > 1] == [2], "the one it died at"
    waiting = await bench.start()
    bench.library.before_chunks = lambda document_id: _dies()
    await bench.work("a worker that dies")
    await bench.opened.generations.cancel(ACME, "policies", waiting)
    rows = await bench.opened.database.read(lambda one: repository.rows_in(one, waiting, (repository.PLANNED,)))
    assert rows == []


async def test_a_document_that_is_deleted_while_it_is_read_leaves_no_passage(bench: Bench) -> None:
    bench.library.after_chunks = lambda document_id: bench.library.texts.pop("pumps", None)
    run = await bench.start()
    await bench.work()
    assert (await bench.shown(run)).passages == 3
    rows = await bench.opened.database.read(lambda one: repository.rows_in(one, run, repository.KEPT))
    assert rows
    assert "pumps" not in {row["document_id"] for row in rows}


async def test_no_more_passages_are_held_than_twice_those_that_are_chosen(bench: Bench) -> None:
    rich = "".join(f"The Nordvik depot in row {n}7 opens at nine on Mondays.\n\n" for n in range(300))
    bench.library.texts = {f"d{n}": rich.replace("depot", f"depot{n}") for n in range(12)}
    choice = Choice(bench.library, lambda: bench.meter.token("grant"), "handbook", 0, lambda: None)
    found = [passages async for _, passages in choice.passages(40, "", 0)]
    assert 40 <= sum(map(len, found)) <= 40 * SPARE
    assert len([some for some in found if some]) == 12, "each document has its share"


async def test_what_the_set_asks_is_read_in_pieces_and_compared_off_the_loop(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[threading.Thread] = set()

    def watched(said: Sequence[str]) -> Words:
        threads.add(threading.current_thread())
        return conversation_words(said)

    monkeypatch.setattr("lab.generation.jobs.conversation_words", watched)
    monkeypatch.setattr("lab.questions.repository.SAID_AT_ONCE", 2)
    items = [{"question": f"Is {n} a number?"} for n in range(5)]
    items.insert(0, {"question": "How often is the oil of the Nordvik pump changed?"})
    body = QuestionSetCreate.model_validate({"name": "policies", "items": items})
    await bench.opened.question_sets.save(ACME, body)
    run = await bench.start()
    await bench.work()
    assert (await bench.shown(run)).dropped == {"asks_the_same": 1}
    assert threads
    assert threading.main_thread() not in threads


async def test_without_a_review_what_was_kept_is_a_version_at_the_end(bench: Bench) -> None:
    run = await bench.start(near_misses=1, accept=True, split="test", labels=["machine", *LABELS])
    await bench.work()
    shown = await bench.shown(run)
    assert (shown.version, shown.states) == (1, {"saved": 5})
    page = await bench.opened.question_sets.list_questions(ACME, "policies", 1, "test", 10, None)
    assert [one.answerable for one in page.data] == [True] * 4 + [False]
    assert page.data[0].labels == ["machine", *LABELS, "generated"]
    assert page.data[-1].labels == ["machine", *LABELS, "generated", "near_miss"]
    assert page.data[-1].documents == {}
    assert set(page.data[0].documents.values()) == {1}
