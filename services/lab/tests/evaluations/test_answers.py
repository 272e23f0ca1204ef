from __future__ import annotations

import pytest
from services.lab.tests.evaluations.asking import ACME, Bench

from contracts.improvement.question_sets import QuestionRecord
from lab.dependencies import Dependencies
from lab.errors import EvaluationNotFound
from lab.evaluations.measures import Said
from lab.evaluations.target import Answered
from lab.questions.repository import Viewer
from servicekit.core.cursors import InvalidCursor


@pytest.fixture
def bench(opened: Dependencies) -> Bench:
    return Bench(opened)


async def _two_runs(bench: Bench) -> tuple[str, str]:
    """The second knows less, and is quicker."""
    good = await bench.start(4)
    await bench.work()

    def worse(question: QuestionRecord, asked: int) -> Answered:
        known = question.question == "Question 2?"
        return Answered(Said("answer 2" if known else "no idea", False), 10.0, 7)

    bench.target.script = worse
    bad = await bench.start(4)
    await bench.work()
    return good, bad


async def test_the_worst_come_first_with_what_was_expected(bench: Bench) -> None:
    _, bad = await _two_runs(bench)
    found = (await bench.opened.evaluations.list_answers(ACME, bad, 10, None, "answer_found")).data
    assert [one.question for one in found] == ["Question 1?", "Question 3?", "Question 2?"], "not what has no answers"
    assert [one.figures["answer_found"] for one in found] == [0, 0, 1]
    assert found[0].known is not None
    assert (found[0].known.answers, found[0].answer, found[0].labels) == (["answer 1"], "no idea", ["odd"])
    assert found[0].other is None
    assert (await bench.opened.evaluations.list_answers(ACME, bad, 10, None, "of_no_question")).data == []


async def test_beside_another_evaluation_only_what_became_worse_is_listed_with_both_answers(bench: Bench) -> None:
    good, bad = await _two_runs(bench)
    runs = bench.opened.evaluations
    found = (await runs.list_answers(ACME, bad, 10, None, "answer_found", good)).data
    assert [(one.question, one.answer, one.other.answer if one.other else "") for one in found] == [
        ("Question 1?", "no idea", "answer 1"),
        ("Question 3?", "no idea", "answer 3"),
    ]
    assert (await runs.list_answers(ACME, good, 10, None, "answer_found", bad)).data == []
    slower = (await runs.list_answers(ACME, good, 10, None, "latency_ms", bad)).data
    assert len(slower) == 4, "more milliseconds are worse"
    both = (await runs.list_answers(ACME, good, 10, None, None, bad)).data
    assert [one.question_id for one in both] == [
        one.question_id for one in (await runs.list_answers(ACME, good, 10, None)).data
    ]
    assert all(one.other for one in both)


async def test_pages_hold_each_answer_once_also_where_many_are_equally_bad(bench: Bench) -> None:
    _, bad = await _two_runs(bench)
    found, cursor = list[str](), None
    while True:
        page = await bench.opened.evaluations.list_answers(ACME, bad, 1, cursor, "answer_found")
        found += [one.question for one in page.data]
        if (cursor := page.next_cursor) is None:
            break
    assert found == ["Question 1?", "Question 3?", "Question 2?"]
    by_number = (await bench.opened.evaluations.list_answers(ACME, bad, 1, None)).next_cursor
    with pytest.raises(InvalidCursor):
        await bench.opened.evaluations.list_answers(ACME, bad, 1, by_number, "answer_found")


async def test_answers_stay_when_their_set_is_gone(bench: Bench) -> None:
    _, bad = await _two_runs(bench)
    await bench.opened.question_sets.delete(ACME, "policies")
    found = (await bench.opened.evaluations.list_answers(ACME, bad, 10, None, "answer_found")).data
    assert (found[0].question, found[0].known) == ("Question 1?", None)


async def test_an_evaluation_of_somebody_else_is_not_beside_one_s_own(bench: Bench) -> None:
    good, bad = await _two_runs(bench)
    for viewer in (Viewer("other", "key_1"), Viewer("acme", "key_2", limited=True)):
        with pytest.raises(EvaluationNotFound):
            await bench.opened.evaluations.list_answers(viewer, bad, 10, None, "answer_found", good)
    with pytest.raises(EvaluationNotFound):
        await bench.opened.evaluations.list_answers(ACME, bad, 10, None, "answer_found", "eval_1")
