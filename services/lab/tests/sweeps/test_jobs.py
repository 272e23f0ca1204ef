from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from services.lab.tests.evaluations.asking import ACME, UNSUPPORTED
from services.lab.tests.sweeps.bench import TrialBench, found, sparse_is_best
from sqlalchemy import select, update

from contracts.improvement.evaluations import EvaluationTarget
from contracts.improvement.question_sets import QuestionRecord
from lab.evaluations.measures import Said
from lab.evaluations.target import Answered
from lab.sweeps import jobs
from lab.tables import SWEEPS
from servicekit.core.clock import ManualClock
from servicekit.jobs import notifier
from servicekit.jobs.notifier import Subscription


async def test_the_best_of_all_combinations_is_confirmed_on_questions_that_did_not_choose_it(
    bench: TrialBench,
) -> None:
    await bench.save(40)
    sweep = await bench.start()
    queued = await bench.get(sweep)
    assert (queued.status, queued.done, queued.choose_questions + queued.confirm_questions) == ("queued", 0, 40)
    await bench.work()
    shown = await bench.get(sweep)
    assert shown.status == "completed", shown.error
    assert [one.words for one in shown.candidates] == ["hybrid", "hybrid, reranked", "sparse", "sparse, reranked"]
    assert {one.figures["retrieval_ndcg_10"].questions for one in shown.candidates} == {shown.choose_questions}
    assert [one.figures["retrieval_ndcg_10"].mean for one in shown.candidates][2:] == [1, 1]
    assert not shown.candidates[0].against
    (decided,) = [one for one in shown.candidates[2].against if one.measure == "retrieval_ndcg_10"]
    assert decided.verdict == "better"
    assert shown.confirmation is not None
    assert shown.confirmation.number == 2, "as good as the reranked one, and faster"
    (confirmed,) = [one for one in shown.confirmation.measures if one.measure == "retrieval_ndcg_10"]
    assert (confirmed.questions, confirmed.verdict) == (shown.confirm_questions, "better")
    assert shown.verdict.startswith("sparse instead of hybrid is better: +0.3691")
    assert shown.may_apply
    both = Counter(bench.target.asked.values())
    assert both == {4: shown.choose_questions, 2: shown.confirm_questions}, "no question does both"
    assert set(bench.target.models) == {"search:handbook"}
    assert shown.cost_usd is not None
    assert not (await bench.opened.evaluations.list(ACME, 10, None, None, None)).data, "they are the sweep's"


async def test_a_winner_by_luck_is_not_applied(bench: TrialBench) -> None:
    await bench.save(40, split="both")

    def lucky(target: EvaluationTarget, question: QuestionRecord) -> Answered:
        return sparse_is_best(target, question) if question.split == "train" else found("other", *question.documents)

    bench.target.finds = lucky
    sweep = await bench.start(choose_split="train", confirm_split="test")
    await bench.work()
    shown = await bench.get(sweep)
    assert (shown.status, shown.choose_questions, shown.confirm_questions) == ("completed", 20, 20)
    assert shown.verdict.startswith("Keep hybrid: sparse looked best of 3, but not on the questions")
    assert not shown.may_apply


async def test_nothing_is_confirmed_where_nothing_is_better(bench: TrialBench) -> None:
    await bench.save(30)
    bench.target.finds = lambda _, question: found(*question.documents)
    sweep = await bench.start()
    await bench.work()
    shown = await bench.get(sweep)
    assert shown.confirmation is None
    assert shown.verdict.startswith("Keep hybrid: none of the 3 other combinations was better")


async def test_what_was_searched_without_its_reranker_is_not_chosen(bench: TrialBench) -> None:
    await bench.save(30)

    def unranked(target: EvaluationTarget, question: QuestionRecord) -> Answered:
        assert target.groundwork is not None
        if target.groundwork.rerank:
            return found(*question.documents, degraded=["rerank_unavailable"])
        return found("other", *question.documents)

    bench.target.finds = unranked
    sweep = await bench.start(settings={"rerank": [True]})
    await bench.work()
    shown = await bench.get(sweep)
    assert shown.candidates[1].degraded == {"rerank_unavailable": shown.choose_questions}
    assert shown.confirmation is None

    assert "Left out: hybrid, reranked (searched without its reranker (rerank_unavailable" in shown.verdict


async def test_what_a_question_or_its_answer_went_without_shuts_nothing_out(bench: TrialBench) -> None:
    await bench.save(40)

    def cut(target: EvaluationTarget, question: QuestionRecord) -> Answered:
        assert target.groundwork is not None
        right = question.documents if target.groundwork.mode == "sparse" else ["other", *question.documents]
        return found(*right, degraded=["query_truncated", "draft_unsupported"])

    bench.target.finds = cut
    sweep = await bench.start(settings={"mode": ["sparse"]})
    await bench.work()
    shown = await bench.get(sweep)
    assert (shown.status, shown.may_apply, shown.candidates[1].degraded) == ("completed", True, {})


@pytest.mark.parametrize(("mode", "split"), [("hybrid", "train"), ("hybrid", "test"), ("sparse", "test")])
async def test_one_that_decides_and_was_searched_without_a_part_ends_the_sweep(
    bench: TrialBench, mode: str, split: str
) -> None:
    await bench.save(40, split="both")
    lost: list[str] = []

    def weakened(target: EvaluationTarget, question: QuestionRecord) -> Answered:
        assert target.groundwork is not None
        answer = sparse_is_best(target, question)
        if (target.groundwork.mode, question.split) == (mode, split) and not lost:
            lost.append(question.id)
            return replace(answer, report={"degraded": ["dense_unavailable"]})
        return answer

    bench.target.finds = weakened
    sweep = await bench.start(choose_split="train", confirm_split="test", settings={"mode": ["sparse"]})
    await bench.work()
    shown = await bench.get(sweep)
    assert shown.error is not None
    assert (shown.status, shown.error.code, shown.may_apply) == ("failed", "sweep_broken", False)
    assert f"'{mode}' was searched without its embeddings (dense_unavailable" in shown.error.message
    assert "start this sweep again" in shown.error.message


async def test_a_winner_that_fails_more_questions_is_not_applied(bench: TrialBench) -> None:
    await bench.save(40, split="both")

    def fails(target: EvaluationTarget, question: QuestionRecord) -> Answered:
        assert target.groundwork is not None
        (right,) = question.documents
        if (target.groundwork.mode, question.split) == ("sparse", "test") and int(right[1:]) < 8:
            return Answered(Said(""), 1.0, error=UNSUPPORTED)
        return sparse_is_best(target, question)

    bench.target.finds = fails
    sweep = await bench.start(choose_split="train", confirm_split="test", settings={"mode": ["sparse"]})
    await bench.work()
    shown = await bench.get(sweep)
    assert (shown.status, shown.may_apply) == ("completed", False)
    assert shown.verdict == (
        "Keep hybrid: sparse looked best of 1, but where it was confirmed 20% more of the questions failed."
    )


async def test_questions_that_were_answered_meanwhile_forgive_earlier_attempts(
    bench: TrialBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, pause = asyncio.Event(), 0.123  # of nobody else's waits

    class Looking(Subscription):
        async def wait(self, seconds: float) -> bool:
            if seconds == pause:
                looked.set()
            return await super().wait(seconds)

    monkeypatch.setattr(notifier, "Subscription", Looking)
    monkeypatch.setattr(jobs, "LOOK_SECONDS", pause)
    await bench.save(40)
    await bench.start()

    def five(target: EvaluationTarget, question: QuestionRecord) -> Answered:
        if len(bench.target.requests) == 5:
            bench.target.open.clear()
        return sparse_is_best(target, question)

    bench.target.finds = five
    bench.target.open.clear()
    working = asyncio.create_task(bench.work())
    database = bench.opened.sweeps.store.database
    async with asyncio.timeout(60):
        await bench.target.began.wait()
        await looked.wait()  # when nothing was answered
        await database.write(lambda one: one.execute(update(SWEEPS).values(failed_attempts=3)))
        bench.target.open.set()
        while True:
            tried = await database.read(lambda one: one.execute(select(SWEEPS.c.failed_attempts)).scalar_one())
            if tried == 1:  # this one alone
                break
            await asyncio.sleep(0.05)
    assert len(bench.target.requests) < 20, "the evaluation is under way"
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_a_sweep_whose_worker_died_goes_on_and_asks_nothing_twice(bench: TrialBench, clock: ManualClock) -> None:
    await bench.save(40)
    sweep = await bench.start()
    gone = asyncio.Event()

    def dies(target: EvaluationTarget, question: QuestionRecord) -> Answered:
        if len(bench.target.requests) == 30:
            gone.set()
            raise RuntimeError("the process is gone")
        return sparse_is_best(target, question)

    bench.target.finds = dies
    working = asyncio.create_task(bench.work())
    async with asyncio.timeout(60):
        await gone.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    bench.target.finds = sparse_is_best
    clock.advance(3600)
    seen = [one.evaluation for one in (await bench.get(sweep)).candidates if one.evaluation]
    assert await bench.work()
    shown = await bench.get(sweep)
    assert shown.status == "completed", shown.error
    assert [one.evaluation for one in shown.candidates][: len(seen)] == seen, "none is begun anew"
    for one in shown.candidates:
        assert one.evaluation is not None
        answers = await bench.opened.evaluations.list_answers(ACME, one.evaluation, 200, None)
        assert len(answers.data) == shown.choose_questions
    assert shown.may_apply


@pytest.mark.parametrize(("budget", "done"), [("0.010", 10), ("0.030", 30)])
async def test_a_budget_is_of_all_combinations_together(bench: TrialBench, budget: str, done: int) -> None:
    await bench.save(40)
    sweep = await bench.start(budget_usd=budget)
    await bench.work()
    shown = await bench.get(sweep)
    assert shown.status == "limit_reached"
    assert shown.done <= done + 2
    assert not shown.may_apply
    assert not shown.verdict


async def test_one_that_is_cancelled_ends_its_evaluation_too(bench: TrialBench) -> None:
    await bench.save(40)
    sweep = await bench.start()
    bench.target.open.clear()
    working = asyncio.create_task(bench.work())
    await bench.target.began.wait()
    await bench.opened.sweeps.cancel(ACME, sweep)
    await working
    bench.target.open.set()
    shown = await bench.get(sweep)
    assert shown.status == "cancelled"
    (first, *others) = shown.candidates
    assert first.evaluation is not None
    assert all(one.evaluation is None for one in others)


async def test_a_combination_that_is_refused_is_left_out_and_the_others_are_compared(bench: TrialBench) -> None:
    await bench.save(40)

    def refused(target: EvaluationTarget, question: QuestionRecord) -> Answered:
        assert target.groundwork is not None
        if target.groundwork.mode == "dense":
            return Answered(Said(""), 1.0, error=UNSUPPORTED, refused=True)
        return sparse_is_best(target, question)

    bench.target.finds = refused
    sweep = await bench.start(settings={"mode": ["dense", "sparse"]})
    await bench.work()
    shown = await bench.get(sweep)
    assert (shown.status, shown.may_apply) == ("completed", True)
    assert shown.candidates[1].error is not None
    assert (shown.candidates[1].error.code, shown.candidates[1].against) == ("target_refuses", [])


async def test_without_figures_of_what_serves_it_ends_with_the_reason(bench: TrialBench) -> None:
    await bench.save(40)
    sweep = await bench.start()
    await bench.opened.question_sets.delete(ACME, "policies")
    await bench.work()
    shown = await bench.get(sweep)
    assert shown.error is not None
    assert (shown.status, shown.error.code) == ("failed", "question_set_not_found")
