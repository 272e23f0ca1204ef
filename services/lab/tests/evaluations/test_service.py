from __future__ import annotations

import pytest
from services.lab.tests.evaluations.asking import ACME, OWNER, Bench, right

from contracts.improvement.evaluations import EvaluationCreate
from contracts.improvement.question_sets import QuestionRecord
from lab.dependencies import Dependencies
from lab.errors import (
    EvaluationFinished,
    EvaluationNotFound,
    EvaluationUnfinished,
    NoQuestions,
    OtherEvaluationMissing,
    QuestionSetNotFound,
    TooManyEvaluations,
)
from lab.evaluations.measures import Said
from lab.evaluations.service import Evaluations
from lab.evaluations.target import Answered
from lab.questions.repository import Viewer


@pytest.fixture
def bench(opened: Dependencies) -> Bench:
    return Bench(opened)


def _wanted(**more: object) -> EvaluationCreate:
    return EvaluationCreate.model_validate({"question_set": "policies", "target": {"model": "m"}, **more})


async def test_two_runs_are_compared_question_by_question_with_a_verdict_in_words(bench: Bench) -> None:
    good = await bench.start(13)
    await bench.work()

    def worse(question: QuestionRecord, asked: int) -> Answered:
        return Answered(Said("no idea", False), 500.0)

    bench.target.script = worse
    bad = await bench.start(13)
    await bench.work()
    found = await bench.opened.evaluations.compare(ACME, bad, good)
    assert found.same_version
    overall = {one.measure: one for one in found.measures if one.label is None}
    assert (overall["answer_found"].verdict, overall["answer_found"].questions) == ("worse", 12)
    assert overall["answer_found"].words.startswith("worse: -1 [-1, -1] answer_found, p 0.000")
    assert overall["latency_ms"].verdict == "worse"
    assert overall["abstained"].verdict == "no difference", "one question says nothing"
    assert {one.label for one in found.measures} == {None, "even", "odd"}
    back = await bench.opened.evaluations.compare(ACME, good, bad)
    assert next(one for one in back.measures if one.measure == "answer_found").verdict == "better"


async def test_only_what_can_be_asked_is_queued(bench: Bench) -> None:
    runs = bench.opened.evaluations
    with pytest.raises(QuestionSetNotFound):
        await runs.create(ACME, OWNER, _wanted())
    await bench.start(3)
    with pytest.raises(NoQuestions, match="split 'train'"):
        await runs.create(ACME, OWNER, _wanted(split="train"))
    few = Evaluations(runs.store, 1)
    with pytest.raises(TooManyEvaluations):
        await few.create(ACME, OWNER, _wanted())


async def test_tenants_see_their_own_and_limited_keys_what_they_started(bench: Bench) -> None:
    mine = await bench.start(3)
    runs = bench.opened.evaluations
    for viewer in (Viewer("other", "key_1"), Viewer("acme", "key_2", limited=True)):
        with pytest.raises(EvaluationNotFound):
            await runs.get(viewer, mine)
        with pytest.raises(EvaluationNotFound):
            await runs.list_answers(viewer, mine, 10, None)
        with pytest.raises(EvaluationNotFound):
            await runs.cancel(viewer, mine)
        with pytest.raises(EvaluationNotFound):
            await runs.compare(viewer, mine, mine)
        with pytest.raises(EvaluationNotFound):
            await runs.compare(viewer, mine, None)
        assert (await runs.list(viewer, 10, None, None, None)).data == []
    with pytest.raises(OtherEvaluationMissing):
        await runs.compare(ACME, mine, None)
    assert [one.id for one in (await runs.list(ACME, 10, None, "policies", "queued")).data] == [mine]
    assert (await runs.list(ACME, 10, None, None, "completed")).data == []


async def test_one_that_has_ended_is_deleted_with_its_answers_and_not_cancelled(bench: Bench) -> None:
    runs = bench.opened.evaluations
    one = await bench.start(3)
    with pytest.raises(EvaluationUnfinished):
        await runs.delete(ACME, one)
    bench.target.script = right
    await bench.work()
    with pytest.raises(EvaluationFinished, match="completed"):
        await runs.cancel(ACME, one)
    await runs.delete(ACME, one)
    with pytest.raises(EvaluationNotFound):
        await runs.get(ACME, one)


async def test_a_tenant_that_is_deleted_has_no_evaluation_left(bench: Bench) -> None:
    one = await bench.start(3)
    await bench.work()
    await bench.opened.evaluations.delete_tenant("acme")
    with pytest.raises(EvaluationNotFound):
        await bench.opened.evaluations.get(ACME, one)
