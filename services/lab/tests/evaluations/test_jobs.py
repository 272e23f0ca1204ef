from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from services.lab.tests.evaluations.asking import ACME, REFUSED, UNSUPPORTED, Bench, ScriptedTarget, right
from sqlalchemy import update

from contracts.improvement.evaluations import Evaluation, EvaluationAnswer
from contracts.improvement.question_sets import QuestionRecord
from lab.dependencies import Dependencies
from lab.evaluations.measures import Figures, Known, Said, measure
from lab.evaluations.target import Answered
from lab.tables import EVALUATIONS
from servicekit.core.clock import ManualClock
from servicekit.core.errors import Forbidden, RateLimited, ServiceError, UpstreamFailed


@pytest.fixture
def bench(opened: Dependencies) -> Bench:
    return Bench(opened)


async def _shown(bench: Bench, evaluation: str) -> Evaluation:
    return await bench.opened.evaluations.get(ACME, evaluation)


async def _answers(bench: Bench, evaluation: str) -> list[EvaluationAnswer]:
    return (await bench.opened.evaluations.list_answers(ACME, evaluation, 200, None)).data


async def test_every_question_is_asked_once_measured_and_summed_up(bench: Bench) -> None:
    evaluation = await bench.start(6)
    assert (await _shown(bench, evaluation)).status == "queued"
    assert await bench.work()
    shown = await _shown(bench, evaluation)
    assert (shown.status, shown.questions, shown.done, shown.failed) == ("completed", 6, 6, 0)
    assert shown.figures["answer_found"].model_dump() == {"mean": 1, "low": 1, "high": 1, "questions": 5}
    assert shown.figures["abstained"].questions == 1
    assert shown.by_label["odd"]["answer_f1"].questions == 3
    (listed,) = (await bench.opened.evaluations.list(ACME, 10, None, None, None)).data
    assert listed == shown.model_copy(update={"by_label": {}})
    assert (shown.cost_usd, shown.prompt_tokens, shown.completion_tokens) == ("0.006", 30, 12)
    assert set(bench.target.asked.values()) == {1}
    answers = await _answers(bench, evaluation)
    assert [one.question for one in answers] == [*(f"Question {n}?" for n in range(1, 6)), "Nobody knows?"]
    assert answers[0].figures["latency_ms"] == 12.5
    assert not await bench.work(), "it is over"


async def test_what_it_has_cost_so_far_is_told_while_it_runs(bench: Bench, clock: ManualClock) -> None:
    evaluation = await bench.start(6)

    def script(question: QuestionRecord, asked: int) -> Answered:
        clock.advance(4)
        if len(bench.target.asked) == 5:
            bench.stopping.set()
        return right(question)

    bench.at_once, bench.target.script = 1, script
    await bench.work()
    shown = await _shown(bench, evaluation)
    assert (shown.done, shown.cost_usd) == (5, "0.003"), "of the last look, 12 seconds after it began"


async def test_answers_are_measured_beside_the_event_loop(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def measured(known: Known, said: Said) -> Figures:
        threads.append(threading.get_ident())
        return measure(known, said)

    monkeypatch.setattr("lab.evaluations.rows.measure", measured)
    await bench.start(3)
    await bench.work()
    assert len(threads) == 3
    assert threading.get_ident() not in threads


async def test_only_a_split_is_asked_where_one_is_named(bench: Bench) -> None:
    evaluation = await bench.start(4, split="test")
    await bench.work()
    shown = await _shown(bench, evaluation)
    assert (shown.questions, shown.done, list(shown.figures)) == (
        1,
        1,
        ["abstained", "latency_ms", "succeeded", "tokens"],
    )


async def test_what_was_answered_before_a_worker_died_is_not_asked_again(bench: Bench, clock: ManualClock) -> None:
    evaluation = await bench.start(6)
    bench.target.script = lambda question, _: right(question) if len(bench.target.asked) < 4 else _dies()
    await bench.work("a worker that dies")
    before = [one.question_id for one in await _answers(bench, evaluation)]
    assert before
    asked = dict(bench.target.asked)
    bench.target.script = right
    clock.advance(3600)
    assert await bench.work("another")
    shown = await _shown(bench, evaluation)
    assert (shown.status, shown.done) == ("completed", 6)
    assert all(bench.target.asked[question] == asked[question] for question in before)
    assert len({one.question_id for one in await _answers(bench, evaluation)}) == 6
    assert len(set(bench.target.requests)) == len(bench.target.requests), "each attempt is known by an id of its own"


def _dies() -> Answered:
    raise RuntimeError("the process is gone")


async def test_a_question_that_fails_again_and_again_counts_as_failed_and_never_as_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.evaluations.jobs.PAUSE_SECONDS", 0)

    def script(question: QuestionRecord, asked: int) -> Answered | ServiceError:
        if question.question == "Question 1?":
            return UpstreamFailed("Broken.")
        if question.question == "Question 2?":
            return UpstreamFailed("Broken.") if asked == 1 else right(question)
        if question.question == "Question 3?":
            return Answered(Said(""), 1.0, error=REFUSED)
        return right(question)

    bench.target.script = script
    evaluation = await bench.start(6)
    await bench.work()
    shown = await _shown(bench, evaluation)
    assert (shown.status, shown.done, shown.failed) == ("completed", 6, 2)
    assert shown.figures["answer_found"].questions == 3, "of those that got an answer"
    assert (shown.figures["succeeded"].mean, shown.figures["succeeded"].questions) == (4 / 6, 6)
    errors = {one.question: one.error.code for one in await _answers(bench, evaluation) if one.error}
    assert errors == {"Question 1?": "upstream_error", "Question 3?": "context_length_exceeded"}


async def test_a_limit_is_waited_for_and_what_was_under_way_is_kept(bench: Bench, clock: ManualClock) -> None:
    limited = {"now": True}

    def script(question: QuestionRecord, _: int) -> Answered | ServiceError:
        if limited["now"] and question.question == "Question 2?":
            return RateLimited("Too many.", retry_after=5)
        return right(question)

    bench.target.script = script
    evaluation = await bench.start(4)
    await bench.work()
    shown = await _shown(bench, evaluation)
    assert (shown.status, shown.waiting_on, shown.done) == ("queued", "rate_limited", 1)
    limited["now"] = False
    clock.advance(60)
    await bench.work()
    assert (await _shown(bench, evaluation)).status == "completed"
    assert bench.target.asked[(await _answers(bench, evaluation))[0].question_id] == 1


@pytest.mark.parametrize(("gone", "code"), [("key", "forbidden"), ("set", "question_set_not_found")])
async def test_a_key_or_a_set_that_is_gone_ends_it_with_what_there_is(bench: Bench, gone: str, code: str) -> None:
    evaluation = await bench.start(4)
    if gone == "key":
        bench.grants.refused = Forbidden("The key was revoked.")
    else:
        await bench.opened.question_sets.delete(ACME, "policies")
    await bench.work()
    shown = await _shown(bench, evaluation)
    assert shown.error is not None
    assert (shown.status, shown.error.code, shown.done) == ("failed", code, 0)


@pytest.mark.parametrize(("budget", "asked"), [("0.004", 4), ("0.0001", 1), ("0.0095", 10)])
async def test_no_question_is_asked_once_the_budget_is_spent(bench: Bench, budget: str, asked: int) -> None:
    bench.at_once = 4
    evaluation = await bench.start(20, budget_usd=budget)
    await bench.work()
    shown = await _shown(bench, evaluation)
    assert (shown.status, shown.budget_usd, shown.done) == ("limit_reached", budget, asked)
    assert shown.figures["answer_found"].questions == shown.done


async def test_settings_that_every_question_is_refused_for_end_it_after_a_few_with_the_reason(bench: Bench) -> None:
    bench.target.script = lambda question, _: Answered(Said(""), 1.0, error=UNSUPPORTED, refused=True)
    evaluation = await bench.start(20)
    await bench.work()
    shown = await _shown(bench, evaluation)
    assert shown.error is not None
    assert (shown.status, shown.error.code) == ("failed", "target_refuses")
    assert "temperature" in shown.error.message
    assert 3 <= shown.done < 6


async def test_questions_that_are_refused_between_others_do_not_end_it(bench: Bench) -> None:
    def script(question: QuestionRecord, _: int) -> Answered | ServiceError:
        return (
            right(question)
            if question.question == "Question 1?"
            else Answered(Said(""), 1.0, error=UNSUPPORTED, refused=True)
        )

    bench.target.script, bench.at_once = script, 1
    evaluation = await bench.start(20)
    await bench.work()
    assert (await _shown(bench, evaluation)).status == "completed"


async def test_one_that_is_cancelled_while_it_waits_keeps_its_figures_and_what_it_has_cost(
    bench: Bench, clock: ManualClock
) -> None:
    def script(question: QuestionRecord, _: int) -> Answered | ServiceError:
        return RateLimited("Too many.", retry_after=500) if question.question == "Question 2?" else right(question)

    bench.target.script = script
    evaluation = await bench.start(4)
    await bench.work()
    assert (await _shown(bench, evaluation)).status == "queued"
    await bench.opened.evaluations.cancel(ACME, evaluation)
    assert await bench.work(), "at once: what it waited for is of no interest"
    shown = await _shown(bench, evaluation)
    assert (shown.status, shown.done, shown.figures["answer_found"].mean) == ("cancelled", 1, 1)
    assert shown.cost_usd == "0.002"


async def test_a_worker_that_stops_keeps_what_is_under_way_and_leaves_the_rest_for_another(bench: Bench) -> None:
    evaluation = await bench.start(6)
    bench.target.open.clear()
    working = asyncio.create_task(bench.work())
    await bench.target.began.wait()
    bench.stopping.set()
    bench.target.open.set()
    await working
    shown = await _shown(bench, evaluation)
    assert (shown.status, shown.done) == ("queued", 2)
    bench.stopping.clear()
    await bench.work()
    assert (await _shown(bench, evaluation)).status == "completed"
    assert set(bench.target.asked.values()) == {1}


async def test_a_cancel_ends_one_that_waits_at_once_and_one_at_work_at_its_next_claim(bench: Bench) -> None:
    waiting = await bench.start(4)
    assert (await bench.opened.evaluations.cancel(ACME, waiting)).status == "cancelled"
    assert not await bench.work()
    running = await bench.start(4)
    async with bench.opened.database.write() as connection:
        flagged = update(EVALUATIONS).where(EVALUATIONS.c.id == running).values(cancel_requested=True)
        await connection.execute(flagged)
    await bench.work()
    shown: Any = await _shown(bench, running)
    assert (shown.status, shown.done, shown.error) == ("cancelled", 0, None)
    assert isinstance(bench.target, ScriptedTarget)
