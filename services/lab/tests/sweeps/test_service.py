from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from services.lab.tests.evaluations.asking import ACME, OWNER
from services.lab.tests.sweeps.bench import TrialBench, found
from services.lab.tests.sweeps.sweeping import ScriptedCollections

from contracts.core.errors import ErrorBody
from contracts.improvement.evaluations import EvaluationTarget
from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.sweeps import TrialCreate
from lab.errors import EvaluationOfTrial
from lab.evaluations.target import Answered
from lab.questions.repository import Viewer
from lab.sweeps import errors
from servicekit.core.errors import PeerError
from servicekit.web.idempotency import CallKey


def _collections(bench: TrialBench) -> ScriptedCollections:
    found = bench.opened.sweeps.indexes.collections
    assert isinstance(found, ScriptedCollections)
    return found


async def _ended(bench: TrialBench) -> str:
    await bench.save(40)
    sweep = await bench.start()
    await bench.work()
    return sweep


async def test_what_was_found_is_applied_once_and_undone_in_one_call(bench: TrialBench) -> None:
    sweep = await _ended(bench)
    applied = await bench.opened.sweeps.apply(ACME, OWNER, sweep)
    assert _collections(bench).there.mode == "sparse"
    assert applied.applied is not None
    assert (applied.may_apply, applied.applied.before.mode, applied.applied.reverted_at) == (False, "hybrid", None)
    with pytest.raises(errors.NothingToApply):
        await bench.opened.sweeps.apply(ACME, OWNER, sweep)
    reverted = await bench.opened.sweeps.revert(ACME, OWNER, sweep)
    assert _collections(bench).there.mode == "hybrid"
    assert reverted.applied is not None
    assert reverted.applied.reverted_at is not None
    with pytest.raises(errors.NothingApplied):
        await bench.opened.sweeps.revert(ACME, OWNER, sweep)
    assert reverted.may_apply
    again = await bench.opened.sweeps.apply(ACME, OWNER, sweep)
    assert (_collections(bench).there.mode, again.may_apply) == ("sparse", False)


async def test_a_collection_that_was_made_anew_under_the_name_is_left_as_it_is(bench: TrialBench) -> None:
    sweep = await _ended(bench)
    collections, started = _collections(bench), (await bench.get(sweep)).created_at
    collections.there = collections.there.model_copy(update={"created_at": started + timedelta(seconds=1)})
    with pytest.raises(errors.CollectionReplaced):
        await bench.opened.sweeps.apply(ACME, OWNER, sweep)
    assert collections.there.mode == "hybrid"


async def test_a_collection_that_somebody_changed_since_is_left_as_it_is(bench: TrialBench) -> None:
    sweep = await _ended(bench)
    collections = _collections(bench)
    collections.there = collections.there.model_copy(update={"rerank": True})
    with pytest.raises(errors.CollectionChanged, match="hybrid, reranked"):
        await bench.opened.sweeps.apply(ACME, OWNER, sweep)
    assert collections.there.mode == "hybrid"


async def test_applying_again_after_it_was_cut_off_between_its_two_writes_is_noted(bench: TrialBench) -> None:
    sweep = await _ended(bench)
    collections = _collections(bench)
    collections.there = collections.there.model_copy(update={"mode": "sparse"})
    applied = await bench.opened.sweeps.apply(ACME, OWNER, sweep)
    assert applied.applied is not None


async def test_a_key_that_may_not_change_the_collection_applies_nothing(bench: TrialBench) -> None:
    sweep = await _ended(bench)
    body = ErrorBody(type="permission", code="scope_missing", message="This key may not.")
    _collections(bench).refused = PeerError(403, body)
    with pytest.raises(PeerError):
        await bench.opened.sweeps.apply(ACME, OWNER, sweep)
    assert (await bench.get(sweep)).may_apply


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"settings": {"mode": ["hybrid"]}}, errors.NothingToTry),
        ({"collection": "other"}, PeerError),
        ({"choose_split": "train", "confirm_split": "test"}, errors.TooFewQuestions),
        ({"measure": "answer_found", "answers": True}, errors.TooFewQuestions),
    ],
)
async def test_what_can_not_be_decided_is_refused_before_anything_is_asked(
    bench: TrialBench, more: dict[str, Any], error: type[Exception]
) -> None:
    await bench.save(40)
    with pytest.raises(error):
        await bench.start(**more)


async def test_a_half_with_too_few_questions_is_told_with_what_to_do(bench: TrialBench) -> None:
    await bench.save(8)
    with pytest.raises(errors.TooFewQuestions, match=r"a half of its questions.*groundwork questions generate"):
        await bench.start()


async def test_sweeps_at_work_are_bounded_and_a_call_made_twice_starts_one(bench: TrialBench) -> None:
    await bench.save(40)
    for _ in range(bench.opened.sweeps.most_live - 1):
        await bench.start()
    body = {"collection": "handbook", "question_set": "policies", "settings": {"rerank": [True]}}
    wanted, call = TrialCreate.model_validate(body), CallKey("key_1", "POST /v1/sweeps", "once")
    made = [await bench.opened.sweeps.create(ACME, OWNER, wanted, call) for _ in range(2)]
    assert made[0].id == made[1].id
    with pytest.raises(errors.TooManySweeps):
        await bench.start()
    listed = await bench.opened.sweeps.list(ACME, 2, None, "handbook")
    assert listed.next_cursor is not None
    assert listed.data[0].id == made[0].id
    assert not (await bench.opened.sweeps.list(ACME, 10, None, "other")).data


async def test_others_see_nothing_and_a_limited_key_only_its_own(bench: TrialBench) -> None:
    sweep = await _ended(bench)
    for viewer in (Viewer("other", "key_1"), Viewer("acme", "key_2", limited=True)):
        for call in (bench.opened.sweeps.get, bench.opened.sweeps.cancel, bench.opened.sweeps.delete):
            with pytest.raises(errors.TrialNotFound):
                await call(viewer, sweep)
        with pytest.raises(errors.TrialNotFound):
            await bench.opened.sweeps.apply(viewer, OWNER, sweep)
    assert (await bench.opened.sweeps.get(Viewer("acme", "key_1", limited=True), sweep)).id == sweep


async def test_one_that_has_ended_is_deleted_with_its_evaluations(bench: TrialBench) -> None:
    await bench.save(40)
    sweep = await bench.start()
    with pytest.raises(errors.TrialUnfinished):
        await bench.opened.sweeps.delete(ACME, sweep)
    await bench.work()
    evaluation = (await bench.get(sweep)).candidates[0].evaluation
    assert evaluation is not None
    with pytest.raises(EvaluationOfTrial, match=f"DELETE /v1/sweeps/{sweep}"):
        await bench.opened.evaluations.delete(ACME, evaluation)
    with pytest.raises(errors.TrialFinished):
        await bench.opened.sweeps.cancel(ACME, sweep)
    await bench.opened.sweeps.delete(ACME, sweep)
    with pytest.raises(errors.TrialNotFound):
        await bench.get(sweep)
    with pytest.raises(Exception, match="no evaluation"):
        await bench.opened.evaluations.get(ACME, evaluation)


async def test_one_that_has_not_begun_is_cancelled_at_once(bench: TrialBench) -> None:
    await bench.save(40)
    sweep = await bench.start()
    assert (await bench.opened.sweeps.cancel(ACME, sweep)).status == "cancelled"
    assert not await bench.work()


@pytest.mark.parametrize(
    ("tried", "says", "param"),
    [
        ({"embedding_model": ["m", "e6"]}, "no embedding model 'e6'.*there is m, e5", "settings.embedding_model"),
        ({"rerank_model": ["e5"]}, "no rerank model 'e5'.*reader.order, reader.late", "settings.rerank_model"),
    ],
)
async def test_models_that_are_not_there_are_refused_when_a_sweep_is_made(
    bench: TrialBench, tried: dict[str, Any], says: str, param: str
) -> None:
    await bench.save(40)
    with pytest.raises(errors.TriedModelUnknown, match=says) as refused:
        await bench.start(settings=tried)
    assert refused.value.param == param
    assert (await bench.opened.sweeps.list(ACME, 10, None, None)).data == []


def _late_is_best(target: EvaluationTarget, question: QuestionRecord) -> Answered:
    assert target.groundwork is not None
    (right,) = question.documents
    is_late = target.groundwork.rerank and target.groundwork.rerank_model == "reader+late"
    return found(right, "other") if is_late else found("other", right)


async def test_a_rerank_model_is_applied_by_its_name_and_undone(bench: TrialBench) -> None:
    bench.target.finds = _late_is_best
    await bench.save(40)
    collections = _collections(bench)
    for before in (None, "reader+order"):
        own = {"rerank": before is not None, "rerank_model": before}
        collections.there = collections.there.model_copy(update=own)
        sweep = await bench.start(settings={"rerank_model": ["reader+order", "reader+late", "default"]})
        await bench.work()
        await bench.opened.sweeps.apply(ACME, OWNER, sweep)
        assert (collections.there.rerank, collections.there.rerank_model) == (True, "reader+late")
        await bench.opened.sweeps.revert(ACME, OWNER, sweep)
        assert collections.there.rerank is (before is not None)
        assert before is None or collections.there.rerank_model == before
