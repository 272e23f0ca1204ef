from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from services.lab.tests.evaluations.asking import ACME, OWNER
from services.lab.tests.sweeps import sweeping
from services.lab.tests.sweeps.bench import TrialBench, found
from services.lab.tests.sweeps.sweeping import ScriptedCollections
from sqlalchemy import select

from contracts.documents.documents import Failure
from contracts.improvement.evaluations import EvaluationTarget
from contracts.improvement.question_sets import QuestionRecord
from contracts.retrieval.collections import Chunking
from contracts.retrieval.reindex import ReindexRequest
from lab.evaluations.target import Answered
from lab.sweeps import errors, indexes
from lab.tables import SWEEPS
from servicekit.core.clock import ManualClock
from servicekit.peers.client import PeerUnreachable

SIZES = {"chunk_size": [100, 200]}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "LOOK_SECONDS", 0.01)


def collections_of(bench: TrialBench) -> ScriptedCollections:
    scripted = bench.opened.sweeps.indexes.collections
    assert isinstance(scripted, ScriptedCollections)
    return scripted


def finds_in(bench: TrialBench, best: int) -> None:
    """The first reindex's generation is 2; documents are found first in the `best`, whatever the mode."""

    def finds(target: EvaluationTarget, question: QuestionRecord) -> Answered:
        assert target.groundwork is not None
        (right,) = question.documents
        generation = target.groundwork.generation
        shadow = collections_of(bench).there.index.shadow
        assert generation is None or (shadow is not None and shadow.generation == generation), "it is there"
        mine = collections_of(bench).wanted.values()
        chunking = list(mine)[generation - 2].chunking if generation else None
        size = None if chunking is None else chunking.max_tokens
        return found(right, "other") if size == best else found("other", right)

    bench.target.finds = finds


async def state_of(bench: TrialBench, sweep: str) -> dict[str, Any]:
    query = select(SWEEPS.c.indexes, SWEEPS.c.grant_token).where(SWEEPS.c.id == sweep)
    row = await bench.opened.sweeps.store.database.read(lambda one: one.execute(query).mappings().one())
    return dict(row)


async def test_each_index_is_built_once_to_choose_and_once_to_confirm_and_then_is_gone(bench: TrialBench) -> None:
    finds_in(bench, 100)
    await bench.save(40)
    sweep = await bench.start(settings={**SIZES, "rerank": [False, True]})
    await bench.work()
    shown = await bench.get(sweep)
    assert shown.status == "completed", shown.error
    assert [one.words for one in shown.candidates] == [
        "hybrid",
        "hybrid, chunks of 100",
        "hybrid, chunks of 200",
        "hybrid, reranked, chunks of 100",
        "hybrid, reranked, chunks of 200",
    ]
    collections = collections_of(bench)
    assert list(collections.wanted) == [f"{sweep}.{n}" for n in (1, 2, 3)]
    sizes = [one.chunking and one.chunking.max_tokens for one in collections.wanted.values()]
    assert sizes == [100, 200, 100], "the second both modes are asked in it, the third confirms"
    assert not any(one.switch is not False for one in collections.wanted.values())
    assert not collections.live
    assert (shown.index_job, shown.waiting_on, shown.may_apply) == (None, None, True)
    assert shown.confirmation is not None
    assert shown.candidates[shown.confirmation.number].settings.chunk_size == 100
    assert shown.verdict.startswith("hybrid, chunks of 100 instead of hybrid is better")
    assert (await state_of(bench, sweep))["grant_token"] is None
    assert collections.there.chunking == Chunking(), "trying changes nothing"


async def test_the_last_index_is_not_built_again_where_it_is_the_winner(bench: TrialBench) -> None:
    finds_in(bench, 200)
    await bench.save(40)
    sweep = await bench.start(settings=SIZES)
    await bench.work()
    assert (await bench.get(sweep)).may_apply
    assert len(collections_of(bench).wanted) == 2


async def test_a_value_that_serves_already_needs_no_index(bench: TrialBench) -> None:
    finds_in(bench, 100)
    await bench.save(40)
    collections = collections_of(bench)
    collections.there = collections.there.model_copy(update={"chunking": Chunking(max_tokens=200)})
    sweep = await bench.start(settings=SIZES)
    await bench.work()
    assert [one.words for one in (await bench.get(sweep)).candidates] == ["hybrid", "hybrid, chunks of 100"]
    with pytest.raises(errors.NothingToTry):
        await bench.start(settings={"chunk_size": [200], "embedding_model": ["m"]})


async def test_a_worker_that_dies_builds_no_index_twice(
    bench: TrialBench, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds_in(bench, 100)
    await bench.save(40)
    sweep = await bench.start(settings={"chunk_size": [100]})
    collections = collections_of(bench)
    original, gone = collections.reindex, asyncio.Event()

    async def dies(*given: Any) -> Any:
        await original(*given)
        gone.set()
        await asyncio.Event().wait()  # begun, and never written down

    with monkeypatch.context() as patch:
        patch.setattr(collections, "reindex", dies)
        working = asyncio.create_task(bench.work())
        async with asyncio.timeout(60):
            await gone.wait()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert collections.live == ["job_0"]
    clock.advance(3600)
    assert await bench.work()
    assert (await bench.get(sweep)).status == "completed"
    assert list(collections.wanted) == [f"{sweep}.1"]
    assert not collections.live


@pytest.mark.parametrize("stage", ["copying", "asking"])
async def test_one_that_is_cancelled_removes_its_index(bench: TrialBench, stage: str) -> None:
    finds_in(bench, 100)
    await bench.save(40)
    collections, reached = collections_of(bench), asyncio.Event()
    finds, looks = bench.target.finds, collections.get_job

    async def stuck(token: str, job_id: str) -> Any:
        if stage == "asking":
            return await looks(token, job_id)
        reached.set()
        return collections.jobs[job_id]

    def asks(target: EvaluationTarget, question: QuestionRecord) -> Any:
        if target.groundwork is not None and target.groundwork.generation is not None:
            reached.set()
            bench.target.open.clear()
        return finds(target, question)

    collections.get_job, bench.target.finds = stuck, asks  # type: ignore[method-assign]
    sweep = await bench.start(settings={"chunk_size": [100]})
    working = asyncio.create_task(bench.work())
    async with asyncio.timeout(60):
        await reached.wait()
    assert (await bench.get(sweep)).index_job == "job_0"
    await bench.opened.sweeps.cancel(ACME, sweep)
    bench.target.open.set()
    await working
    assert (await bench.get(sweep)).status == "cancelled"
    assert collections.jobs["job_0"].status == "cancelled"


async def test_an_index_that_can_not_be_built_ends_the_sweep_with_the_reason(bench: TrialBench) -> None:
    await bench.save(40)
    collections_of(bench).fails = Failure(code="embedding_mismatch", message="Other vectors.", retryable=False)
    sweep = await bench.start(settings={"embedding_model": ["e5"]})
    await bench.work()
    shown = await bench.get(sweep)
    assert shown.error is not None
    assert (shown.status, shown.error.code) == ("failed", "sweep_broken")
    assert "The index of 'hybrid, e5' was not built: Other vectors." in shown.error.message


async def test_another_reindex_of_the_collection_is_waited_for(bench: TrialBench, clock: ManualClock) -> None:
    finds_in(bench, 100)
    await bench.save(40)
    collections = collections_of(bench)
    await collections.reindex("token", "handbook", ReindexRequest(language="de"), "somebody's")
    sweep = await bench.start(settings={"chunk_size": [100]})
    await bench.work()
    shown = await bench.get(sweep)
    assert (shown.status, shown.waiting_on) == ("queued", "reindex")
    collections.switch()
    clock.advance(60)
    await bench.work()
    assert (await bench.get(sweep)).status == "completed"


async def test_an_index_that_can_not_be_removed_at_the_end_is_removed_later(bench: TrialBench) -> None:
    finds_in(bench, 100)
    await bench.save(40)
    collections, opened = collections_of(bench), bench.opened.sweeps
    collections.cancel_refused = None
    sweep = await bench.start(settings={"chunk_size": [100]})
    collections.cancel_refused = PeerUnreachable("gateway")
    await bench.work()
    assert (await bench.get(sweep)).status == "completed"
    assert collections.live == ["job_0"]
    await opened.indexes.release_ended(opened.store)
    assert collections.live == ["job_0"]
    with pytest.raises(PeerUnreachable):
        await opened.delete(ACME, sweep)
    collections.cancel_refused = None
    await opened.indexes.release_ended(opened.store)
    assert not collections.live
    state = await state_of(bench, sweep)
    assert (state["grant_token"], state["indexes"]["held"]) == (None, None)
    await opened.delete(ACME, sweep)


async def test_a_key_that_is_gone_keeps_no_sweep_from_ending(bench: TrialBench) -> None:
    finds_in(bench, 100)
    await bench.save(40)
    collections = collections_of(bench)
    collections.cancel_refused = sweeping.refused(403, "key_revoked")
    sweep = await bench.start(settings={"chunk_size": [100]})
    await bench.work()
    assert (await bench.get(sweep)).status == "completed"
    assert (await state_of(bench, sweep))["grant_token"] is None


async def test_what_indexes_cost_is_the_sweeps_and_of_its_budget(bench: TrialBench) -> None:
    finds_in(bench, 100)
    await bench.save(40)
    sweep = await bench.start(settings={"chunk_size": [100]})
    await bench.work()
    shown, state = await bench.get(sweep), await state_of(bench, sweep)
    assert shown.confirmation is not None
    asked = [one.evaluation for one in shown.candidates]
    asked += [shown.confirmation.evaluation, shown.confirmation.served_evaluation]
    costs = [(await bench.opened.evaluations.get(ACME, one or "")).cost_usd for one in asked]
    assert state["indexes"]["spent"] == 1_000_000
    assert Decimal(shown.cost_usd or 0) == sum(Decimal(one or 0) for one in costs) + Decimal("0.001")
    poor = await bench.start(settings={"chunk_size": [100]}, budget_usd="0.000001")
    await bench.work()
    assert (await bench.get(poor)).status == "limit_reached"
    assert len(collections_of(bench).wanted) == 1, "no index is begun where nothing is left"


async def test_an_index_that_took_all_of_the_budget_is_not_asked(bench: TrialBench) -> None:
    finds_in(bench, 100)
    await bench.save(40)
    count = (await bench.get(await bench.start(settings={"mode": ["sparse"]}))).choose_questions
    await bench.work()
    spent = sum(bench.target.asked.values())
    sweep = await bench.start(
        settings={"chunk_size": [100]}, budget_usd=str(Decimal(spent + count) / 1000 + Decimal("0.0005"))
    )
    await bench.work()
    shown = await bench.get(sweep)
    assert (shown.status, shown.done) == ("limit_reached", count)
    assert len(collections_of(bench).wanted) == 1
    assert not collections_of(bench).live


@pytest.mark.parametrize(
    ("chunks", "overlap", "error", "says"),
    [
        (50_001, 0, errors.CollectionTooLarge, "50001 chunks.*a part of the documents"),
        (10, 60, errors.OverlapTooLarge, "sizes from 120 on"),
    ],
)
async def test_what_can_not_be_built_is_refused_with_what_to_do(
    bench: TrialBench, chunks: int, overlap: int, error: type[Exception], says: str
) -> None:
    await bench.save(40)
    collections = collections_of(bench)
    cut = Chunking(max_tokens=200, overlap=overlap)
    collections.there = collections.there.model_copy(update={"chunks": chunks, "chunking": cut})
    with pytest.raises(error, match=says):
        await bench.start(settings={"chunk_size": [100]})


async def _won(bench: TrialBench, **settings: Any) -> str:
    finds_in(bench, 100)
    await bench.save(40)
    sweep = await bench.start(settings={"chunk_size": [100], **settings})
    await bench.work()
    assert (await bench.get(sweep)).may_apply
    return sweep


async def test_the_winner_is_applied_by_a_reindex_and_undone_by_another(bench: TrialBench) -> None:
    sweep, collections, sweeps = await _won(bench), collections_of(bench), bench.opened.sweeps
    applied = (await sweeps.apply(ACME, OWNER, sweep)).applied
    assert applied is not None
    assert collections.live == [applied.job]
    last = list(collections.wanted.values())[-1]
    assert last == ReindexRequest(chunking=Chunking(max_tokens=100))
    assert last.switch is None
    collections.switch()
    reverted = (await sweeps.revert(ACME, OWNER, sweep)).applied
    assert reverted is not None
    assert collections.live == [reverted.job]
    assert list(collections.wanted.values())[-1] == ReindexRequest(chunking=Chunking())
    collections.switch()
    assert collections.there.chunking == Chunking()


async def test_undoing_it_before_it_has_switched_ends_the_reindex(bench: TrialBench) -> None:
    sweep, collections, sweeps = await _won(bench), collections_of(bench), bench.opened.sweeps
    await sweeps.apply(ACME, OWNER, sweep)
    reverted = (await sweeps.revert(ACME, OWNER, sweep)).applied
    assert reverted is not None
    assert (reverted.job, collections.live, collections.there.chunking) == (None, [], Chunking())
    again = (await sweeps.apply(ACME, OWNER, sweep)).applied
    assert again is not None
    assert collections.live == [again.job]


async def test_applying_again_after_it_was_cut_off_begins_no_other_reindex(
    bench: TrialBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, collections, sweeps = await _won(bench), collections_of(bench), bench.opened.sweeps

    async def cut_off(*_: Any) -> Any:
        raise RuntimeError("the process is gone")

    with monkeypatch.context() as patch:
        patch.setattr(type(sweeps), "_note", cut_off)
        with pytest.raises(RuntimeError):
            await sweeps.apply(ACME, OWNER, sweep)
    first = collections.live
    applied = (await sweeps.apply(ACME, OWNER, sweep)).applied
    assert applied is not None
    assert collections.live == first == [applied.job]


@pytest.mark.parametrize(
    "other", [{"chunking": Chunking(max_tokens=64)}, {"chunking": Chunking(strategy="fixed")}, {"embedding_model": "x"}]
)
async def test_a_collection_that_somebody_reindexed_otherwise_is_left_as_it_is(
    bench: TrialBench, other: dict[str, Any]
) -> None:
    sweep, collections = await _won(bench), collections_of(bench)
    collections.there = collections.there.model_copy(update=other)
    with pytest.raises(errors.CollectionChanged, match="auto chunks of as many tokens as the model reads"):
        await bench.opened.sweeps.apply(ACME, OWNER, sweep)
    assert not collections.live


async def test_a_model_that_was_named_otherwise_is_applied_by_its_own_name(bench: TrialBench) -> None:
    await bench.save(40)

    def default_is_best(target: EvaluationTarget, question: QuestionRecord) -> Answered:
        assert target.groundwork is not None
        (right,) = question.documents
        return found(right, "other") if target.groundwork.generation else found("other", right)

    bench.target.finds = default_is_best
    sweep, collections = await bench.start(settings={"embedding_model": ["default"]}), collections_of(bench)
    await bench.work()
    await bench.opened.sweeps.apply(ACME, OWNER, sweep)
    assert list(collections.wanted.values())[-1] == ReindexRequest(embedding_model="the-default")
    collections.switch()
    await bench.opened.sweeps.revert(ACME, OWNER, sweep)
    assert list(collections.wanted.values())[-1] == ReindexRequest(embedding_model="m")
