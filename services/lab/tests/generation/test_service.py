from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from services.lab.tests.generation.asking import ACME, OWNER, Bench
from sqlalchemy import Engine, event

from contracts.improvement.question_generation import GenerationCreate, GenerationReview
from contracts.improvement.question_sets import QuestionSetCreate
from lab.dependencies import Dependencies
from lab.errors import (
    AnswersOfNearMiss,
    GeneratedNotFound,
    GenerationFinished,
    GenerationNotFound,
    GenerationUnfinished,
    NothingAccepted,
    QuestionSetNotFound,
    QuestionSetNotYours,
    TooManyGenerations,
)
from lab.questions.repository import Viewer
from servicekit.core.clock import ManualClock

OTHER = Viewer("other", "key_9")
NARROW = Viewer("acme", "key_2", limited=True)


@pytest.fixture
def bench(opened: Dependencies) -> Bench:
    return Bench(opened)


def review(**said: object) -> GenerationReview:
    return GenerationReview.model_validate(said)


async def test_only_what_was_accepted_is_saved_as_it_was_corrected(bench: Bench) -> None:
    generations = bench.opened.generations
    run = await bench.start(near_misses=1)
    await bench.work()
    items = await bench.items(run)
    first, second, third = (item.number for item in items[:3])
    with pytest.raises(NothingAccepted):
        await generations.save(ACME, OWNER, "policies", run)
    decisions = [
        {"number": first, "state": "accepted", "question": "What do people ask?", "answers": ["This."]},
        {"number": second, "state": "accepted"},
        {"number": third, "state": "rejected"},
    ]
    shown = await generations.review(ACME, "policies", run, review(decisions=decisions))
    assert shown.states == {"accepted": 2, "proposed": 2, "rejected": 1}
    back = [{"number": second, "state": "proposed"}]
    await generations.review(ACME, "policies", run, review(decisions=back))
    saved, new = await generations.save(ACME, OWNER, "policies", run)
    assert (saved.version, saved.questions, new) == (1, 1, True)
    again, new = await generations.save(ACME, OWNER, "policies", run)
    assert (again.version, new) == (1, False), "a call whose answer was lost may be made again"
    (question,) = (await bench.opened.question_sets.list_questions(ACME, "policies", 1, None, 10, None)).data
    assert (question.question, question.answers) == ("What do people ask?", ["This."])
    assert question.metadata["generated"]["run"] == run  # type: ignore[index,call-overload]
    (corrected,) = await bench.items(run, "saved")
    assert corrected.corrected
    await generations.review(ACME, "policies", run, review(accept_all=True))
    saved, _ = await generations.save(ACME, OWNER, "policies", run)
    assert (saved.version, saved.questions, saved.unanswerable) == (2, 4, 1)


async def test_a_review_is_taken_whole_or_not_at_all(bench: Bench) -> None:
    generations = bench.opened.generations
    run = await bench.start(near_misses=1)
    await bench.work()
    items = await bench.items(run)
    miss = next(item.number for item in items if not item.answerable)
    good = {"number": items[0].number, "state": "accepted"}
    for bad, error in (
        ({"number": 999, "state": "rejected"}, GeneratedNotFound),
        ({"number": miss, "state": "accepted", "answers": ["Yes."]}, AnswersOfNearMiss),
    ):
        with pytest.raises(error):
            await generations.review(ACME, "policies", run, review(decisions=[good, bad]))
        assert "accepted" not in (await bench.shown(run)).states


async def test_what_asks_the_same_as_the_set_by_now_is_left_out(bench: Bench) -> None:
    generations = bench.opened.generations
    run = await bench.start()
    await bench.work()
    (kept, *_) = await bench.items(run)
    items = [{"question": kept.question, "split": "train"}]
    body = QuestionSetCreate.model_validate({"name": "policies", "items": items})
    await bench.opened.question_sets.save(ACME, body)
    await generations.review(ACME, "policies", run, review(accept_all=True))
    saved, _ = await generations.save(ACME, OWNER, "policies", run)
    assert saved.questions == 4
    (left,) = await bench.items(run, "rejected")
    assert (left.number, left.reason) == (kept.number, "asks_the_same")


async def test_with_a_document_goes_what_was_made_of_it_and_is_in_no_version(bench: Bench) -> None:
    generations = bench.opened.generations
    run = await bench.start(near_misses=4)
    await bench.work()
    await generations.delete_document("other", "handbook", "pumps")
    assert "stale" not in (await bench.shown(run)).states
    await generations.delete_document("acme", "handbook", "pumps")
    stale = await bench.items(run, "stale")
    assert stale
    assert {(item.reason, item.question, item.span) for item in stale} == {("document_deleted", None, None)}
    numbers = [{"number": stale[0].number, "state": "accepted"}]
    with pytest.raises(GeneratedNotFound):
        await generations.review(ACME, "policies", run, review(decisions=numbers))
    await generations.review(ACME, "policies", run, review(accept_all=True))
    saved, _ = await generations.save(ACME, OWNER, "policies", run)
    await generations.delete_document("acme", "handbook", None)
    assert (await bench.opened.question_sets.get(ACME, "policies")).questions == saved.questions, "a set is a copy"


async def test_a_late_notice_takes_nothing_of_another_document_that_came_under_the_same_id(
    bench: Bench, clock: ManualClock
) -> None:
    generations, deleted_at = bench.opened.generations, clock.now()
    old = await bench.start()
    await bench.work()
    clock.advance(3600)
    new = await bench.start()
    await bench.work()
    await generations.delete_document("acme", "handbook", "pumps", deleted_at)
    assert "stale" in (await bench.shown(old)).states
    assert "stale" not in (await bench.shown(new)).states
    await generations.delete_document("acme", "handbook", None, deleted_at)
    assert "stale" not in (await bench.shown(new)).states


async def test_a_document_that_is_gone_or_changed_is_found_out_before_its_questions_are_saved(bench: Bench) -> None:
    generations = bench.opened.generations
    run = await bench.start()
    await bench.work()
    await generations.review(ACME, "policies", run, review(accept_all=True))
    del bench.library.texts["pumps"]
    bench.library.revisions["travel"] = 2
    saved, _ = await generations.save(ACME, OWNER, "policies", run)
    assert saved.questions == 2
    assert {item.reason for item in await bench.items(run, "stale")} == {"document_deleted", "document_changed"}


async def test_runs_are_their_tenants_and_a_limited_key_sees_its_own(bench: Bench) -> None:
    generations = bench.opened.generations
    run = await bench.start()
    for viewer, name in ((OTHER, "policies"), (NARROW, "policies"), (ACME, "another")):
        with pytest.raises(GenerationNotFound):
            await generations.get(viewer, name, run)
        with pytest.raises(QuestionSetNotFound):
            await generations.list(viewer, name, 10, None)
    body = QuestionSetCreate.model_validate({"name": "theirs", "items": [{"question": "One?"}]})
    await bench.opened.question_sets.save(ACME, body)
    with pytest.raises(QuestionSetNotYours):
        await generations.create(NARROW, OWNER, "theirs", GenerationCreate(collection="handbook"))
    await generations.delete_tenant("other")
    assert (await generations.get(ACME, "policies", run)).id == run
    await generations.delete_tenant("acme")
    with pytest.raises(GenerationNotFound):
        await generations.get(ACME, "policies", run)


async def test_runs_are_listed_ended_and_deleted_and_there_are_not_too_many(bench: Bench) -> None:
    generations = bench.opened.generations
    runs = [await bench.start() for _ in range(4)]
    with pytest.raises(TooManyGenerations):
        await bench.start()
    first = await generations.list(ACME, "policies", 3, None)
    rest = await generations.list(ACME, "policies", 3, first.next_cursor)
    assert [one.id for one in (*first.data, *rest.data)] == runs[::-1]
    with pytest.raises(GenerationUnfinished):
        await generations.delete(ACME, "policies", runs[0])
    await generations.cancel(ACME, "policies", runs[0])
    with pytest.raises(GenerationFinished):
        await generations.cancel(ACME, "policies", runs[0])
    await generations.delete(ACME, "policies", runs[0])
    assert len((await generations.list(ACME, "policies", 9, None)).data) == 3


async def test_with_its_document_goes_the_passage_of_a_question_that_is_saved(bench: Bench) -> None:
    generations = bench.opened.generations
    run = await bench.start()
    await bench.work()
    await generations.review(ACME, "policies", run, review(accept_all=True))
    await generations.save(ACME, OWNER, "policies", run)
    saved = await bench.items(run, "saved")
    assert all(item.span and item.why for item in saved)
    await generations.delete_document("acme", "handbook", "pumps")
    left = await bench.items(run, "saved")
    assert [item.question for item in left] == [item.question for item in saved]
    assert [(item.span, item.why) for item in left if item.span is None] == [(None, "")]


async def test_a_document_that_is_deleted_again_costs_no_writes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await bench.start()
    await bench.work()
    await bench.opened.generations.review(ACME, "policies", run, review(accept_all=True))
    await bench.opened.generations.save(ACME, OWNER, "policies", run)
    written: list[Any] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, is_many: bool) -> None:
        if statement.startswith("UPDATE generated_questions SET content="):
            written.append(len(parameters) if is_many else 1)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        for _ in range(2):
            await bench.opened.generations.delete_document("acme", "handbook", None)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    saved = await bench.items(run, "saved")
    assert all((item.span, item.why) == (None, "") for item in saved)
    assert written == [len(saved)], "in one statement, once"


async def test_runs_go_with_their_set_those_at_work_too(bench: Bench) -> None:
    generations = bench.opened.generations
    body = QuestionSetCreate.model_validate({"name": "policies", "items": [{"question": "One?"}]})
    await bench.opened.question_sets.save(ACME, body)
    ended = await bench.start()
    await bench.work()
    waiting, other = await bench.start(), await bench.start("others")
    with pytest.raises(QuestionSetNotFound):
        await generations.delete_set(NARROW, "policies")
    await generations.delete_set(ACME, "policies")
    for run in (ended, waiting):
        with pytest.raises(GenerationNotFound):
            await generations.get(ACME, "policies", run)
    assert (await generations.get(ACME, "others", other)).id == other


def test_labels_leave_room_for_those_of_what_is_made() -> None:
    with pytest.raises(ValidationError):
        GenerationCreate(collection="handbook", labels=[f"label{n}" for n in range(19)])
