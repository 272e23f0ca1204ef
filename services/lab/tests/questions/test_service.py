from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Connection, func, select

from contracts.improvement.question_sets import QuestionRecord, QuestionSet, QuestionSetCreate
from lab.dependencies import Dependencies
from lab.errors import (
    LastVersion,
    NoQuestions,
    QuestionIdTaken,
    QuestionsAlike,
    QuestionSetNotFound,
    QuestionSetNotYours,
    QuestionSetVersionNotFound,
    QuestionsMissing,
    SplitsLeak,
    TooManyQuestions,
    TooManyQuestionSets,
)
from lab.questions import repository
from lab.questions.repository import Viewer
from lab.questions.service import QuestionSets
from lab.tables import QUESTIONS
from servicekit.core.clock import ManualClock

ACME = Viewer("acme", "key_1")
LIMITED, OTHER_LIMITED = Viewer("acme", "key_2", limited=True), Viewer("acme", "key_3", limited=True)
DAYS, WEEKS = {"question": "How many days?", "answers": ["27"]}, {"question": "How many weeks?"}


@pytest.fixture
def sets(opened: Dependencies) -> QuestionSets:
    return opened.question_sets


def _body(*items: dict[str, Any], name: str = "policies", **more: Any) -> QuestionSetCreate:
    return QuestionSetCreate.model_validate({"name": name, "items": list(items), **more})


async def _save(sets: QuestionSets, *items: dict[str, Any], viewer: Viewer = ACME, **more: Any) -> QuestionSet:
    return (await sets.save(viewer, _body(*items, **more)))[0]


async def _questions(sets: QuestionSets, version: int, viewer: Viewer = ACME, **more: Any) -> list[QuestionRecord]:
    found, cursor = list[QuestionRecord](), None
    while True:
        page = await sets.list_questions(viewer, "policies", version, more.get("split"), 2, cursor)
        found += page.data
        if (cursor := page.next_cursor) is None:
            return found


async def test_a_question_is_corrected_under_its_id_and_taken_out_of_a_new_version(sets: QuestionSets) -> None:
    await _save(sets, DAYS, WEEKS)
    wrong = (await _questions(sets, 1))[0]
    corrected = {"id": wrong.id, "question": "How many days of leave?", "answers": ["30"]}
    assert (await _save(sets, corrected, append=True)).version == 2
    assert [(one.id, one.question) for one in await _questions(sets, 2)][-1] == (wrong.id, "How many days of leave?")
    gone = QuestionSetCreate(name="policies", append=True, remove=[wrong.id])
    for _ in range(2):  # its answer may be lost, and it is sent again
        assert (await sets.save(ACME, gone))[0].version == 3
    assert [one.question for one in await _questions(sets, 3)] == ["How many weeks?"]
    assert len(await _questions(sets, 1)) == 2
    other = (await _questions(sets, 3))[0].id
    both = _body({"question": "How many months?"}, append=True, remove=[other])
    await sets.save(ACME, both)
    assert [one.question for one in await _questions(sets, 4)] == ["How many months?"]


async def test_no_version_is_left_without_questions_and_none_is_made_of_nothing(sets: QuestionSets) -> None:
    gone = QuestionSetCreate(name="policies", append=True, remove=["q_1"])
    with pytest.raises(QuestionSetNotFound):
        await sets.save(ACME, gone)
    await _save(sets, DAYS)
    only = (await _questions(sets, 1))[0].id
    with pytest.raises(QuestionsMissing, match="without those"):
        await sets.save(ACME, gone.model_copy(update={"remove": [only]}))
    for body in ({"remove": ["q_1"]}, {"append": True}, {"items": [DAYS], "remove": ["q_1"]}):
        with pytest.raises(ValidationError):
            QuestionSetCreate.model_validate({"name": "policies", **body})


async def _rows(opened: Dependencies) -> int:
    async with opened.database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(QUESTIONS))).scalar_one())


async def test_identical_content_makes_no_version_in_whatever_order_it_comes(sets: QuestionSets) -> None:
    first, new = await sets.save(ACME, _body(DAYS, WEEKS, description="What people ask."))
    assert (first.version, first.questions, first.answerable, new) == (1, 2, 1, True)
    again, new = await sets.save(ACME, _body(WEEKS, DAYS))
    assert (again, new) == (first, False)
    await _save(sets, DAYS)
    described, new = await sets.save(ACME, _body(DAYS, description="Anew."))
    assert (described.version, described.description, new) == (2, "Anew.", False)


async def test_content_that_only_an_older_version_has_is_a_new_version_so_that_no_correction_is_lost(
    sets: QuestionSets,
) -> None:
    first = await _save(sets, DAYS)
    await _save(sets, {**DAYS, "answers": ["28"]})
    back, new = await sets.save(ACME, _body(DAYS))
    assert (back.version, back.newest, back.digest, new) == (3, 3, first.digest, True)
    assert (await sets.get(ACME, "policies")).version == 3
    assert [one.answers for one in await _questions(sets, 3)] == [["27"]]


async def test_a_version_never_changes_whatever_is_saved_after_it(sets: QuestionSets, opened: Dependencies) -> None:
    for items in ([DAYS, WEEKS], [DAYS], [DAYS, WEEKS, {"question": "Three?"}], [WEEKS]):
        await _save(sets, *items)
    asked = [[one.question for one in await _questions(sets, version)] for version in (1, 2, 3, 4)]
    assert [sorted(map(str, each)) for each in asked] == [
        ["How many days?", "How many weeks?"],
        ["How many days?"],
        ["How many days?", "How many weeks?", "Three?"],
        ["How many weeks?"],
    ]
    assert await _rows(opened) == 4, "a question that stays is stored once"
    versions = await sets.list_versions(ACME, "policies", 3, None)
    assert [one.version for one in versions.data] == [4, 3, 2]
    rest = await sets.list_versions(ACME, "policies", 3, versions.next_cursor)
    assert [one.version for one in rest.data] == [1]


async def test_questions_are_added_to_the_newest_version_and_replaced_by_their_own_id(
    sets: QuestionSets, opened: Dependencies
) -> None:
    await _save(sets, DAYS, {"id": "w", **WEEKS})
    saved = await _save(sets, {"id": "w", **WEEKS, "answers": ["4"]}, {"question": "Three?"}, append=True)
    assert (saved.version, saved.questions) == (2, 3)
    assert {one.id: one.answers for one in await _questions(sets, 2)}["w"] == ["4"]
    assert await _rows(opened) == 4
    (known, *_) = await _questions(sets, 2)
    await _save(sets, {"id": known.id, **DAYS, "answers": ["28"]}, append=True)
    assert (await _questions(sets, 3))[-1].answers == ["28"], "an id that was exported is given, too"
    assert (await sets.save(ACME, _body({"question": "Three?"}, append=True)))[1] is False


async def test_a_question_without_an_id_replaces_none_that_is_there(sets: QuestionSets) -> None:
    curated = {**DAYS, "labels": ["leave"], "split": "test"}
    await _save(sets, curated)
    with pytest.raises(QuestionsAlike, match="the saved question 'q_"):
        await _save(sets, {"question": "how many days", "answers": ["28"]}, append=True)
    with pytest.raises(SplitsLeak):
        await _save(sets, {**DAYS, "split": "train"}, append=True)
    saved = await _save(sets, {"question": "how many days"}, {**DAYS, "split": "train"}, append=True, duplicates="skip")
    (kept,) = await _questions(sets, 1)
    assert (saved.version, kept.answers, kept.labels, kept.split) == (1, ["27"], ["leave"], "test")
    assert [(one.id, one.like) for one in saved.skipped] == [(kept.id, kept.id)] * 2


async def test_an_id_made_of_words_is_not_given_to_two_questions(sets: QuestionSets) -> None:
    await _save(sets, DAYS)
    (known,) = await _questions(sets, 1)
    with pytest.raises(QuestionIdTaken):
        await _save(sets, {"id": known.id, "question": "Who pays?"}, DAYS)


async def test_the_same_words_with_other_answers_and_ids_of_their_own_are_two_questions(sets: QuestionSets) -> None:
    us = {"id": "us", "question": "Who pays us?", "answers": ["the bank"]}
    usa = {"id": "usa", "question": "Who pays US?", "answers": ["Washington"]}
    assert (await _save(sets, us, usa)).questions == 2
    with pytest.raises(QuestionsAlike):
        await _save(sets, us, {**usa, "answers": ["the bank"]})
    with pytest.raises(QuestionsAlike):
        await _save(sets, us, {"question": "Who pays US?", "answers": ["Washington"]})


async def test_a_set_that_is_deleted_while_it_is_saved_is_made_anew(
    sets: QuestionSets, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _save(sets, DAYS)
    newest, calls = repository._newest, list[int]()

    def gone_at_first(*args: Any) -> tuple[int, str] | None:
        calls.append(1)
        return None if len(calls) == 1 else newest(*args)

    monkeypatch.setattr(repository, "_newest", gone_at_first)
    saved = await _save(sets, WEEKS, append=True)
    assert (saved.version, saved.questions) == (2, 2)


async def test_a_version_that_is_deleted_while_it_is_followed_is_not_brought_back(
    sets: QuestionSets, monkeypatch: pytest.MonkeyPatch
) -> None:
    for items in ([DAYS], [DAYS, WEEKS]):
        await _save(sets, *items)
    look, looked = repository.look, list[int]()

    def deleted_after_it(connection: Connection, viewer: Viewer, name: str) -> repository.Seen:
        seen = look(connection, viewer, name)
        looked.append(1)
        return replace(seen, version=9) if len(looked) == 1 else seen

    monkeypatch.setattr(repository, "look", deleted_after_it)
    assert (await _save(sets, {"question": "Three?"}, append=True)).version == 3
    assert len(looked) == 2


async def test_a_split_that_a_version_lacks_is_refused_with_those_it_has(sets: QuestionSets) -> None:
    await _save(sets, {**DAYS, "split": "test"}, {**WEEKS, "split": "train"})
    with pytest.raises(NoQuestions, match="The splits that it has: test, train"):
        await _questions(sets, 1, split="nope")


async def test_what_asks_the_same_is_refused_with_the_places(sets: QuestionSets) -> None:
    with pytest.raises(QuestionsAlike) as refused:
        await _save(sets, DAYS, WEEKS, {"id": "x", "question": "how many the days"})
    assert "items[0] ('How many days?') and items[2] ('how many the days')" in refused.value.message
    await _save(sets, {"id": "d", **DAYS})
    with pytest.raises(QuestionsAlike, match="the saved question 'd'"):
        await _save(sets, {"id": "x", "question": "How many days"}, append=True)
    with pytest.raises(QuestionsAlike, match=r"items\[0\] \('Who pays\?'\) and items\[1\] \('who pays'\)"):
        await _save(sets, {"question": "Who pays?"}, {"question": "who pays"})
    with pytest.raises(QuestionIdTaken, match=r"items\[0\] and of items\[1\]"):
        await _save(sets, {"id": "x", "question": "One?"}, {"id": "x", "question": "Two?"})


async def test_nearly_the_same_words_with_other_answers_are_two_questions(sets: QuestionSets) -> None:
    one, other = (
        {"question": "Which refunds?", "answers": ["all"]},
        {"question": "Which refund?", "answers": ["the first"]},
    )
    assert (await _save(sets, one, other)).questions == 2
    with pytest.raises(QuestionsAlike):
        await _save(sets, one, {**other, "answers": ["all", "each"]})


async def test_of_two_without_an_id_that_ask_the_same_one_is_left_out_and_the_other_keeps_its_name(
    sets: QuestionSets,
) -> None:
    name = (await _save(sets, {"question": "Who pays?", "split": "test"})).name
    (known,) = await _questions(sets, 1)
    saved = await _save(
        sets,
        {"question": "who pays", "split": "train"},
        {"question": "Who pays?", "split": "test"},
        duplicates="skip",
    )
    assert (saved.name, saved.version, len(saved.skipped)) == (name, 1, 1)
    assert [one.id for one in await _questions(sets, 1)] == [known.id]


async def test_a_leak_between_splits_is_refused_and_skipping_leaves_the_one_in_train_out(sets: QuestionSets) -> None:
    leak: list[dict[str, Any]] = [
        {"id": "a", **DAYS, "split": "train"},
        {"id": "b", "question": "how many days?", "split": "test"},
    ]
    same: list[dict[str, Any]] = [{"id": "c", **WEEKS, "split": "test"}, {"id": "d", **WEEKS, "split": "test"}]
    with pytest.raises(SplitsLeak, match=r"\('How many days\?', train\) and items\[1\] \('how many days\?', test\)"):
        await _save(sets, *leak, *same)
    saved = await _save(sets, *leak, *same, duplicates="skip")
    assert [(one.id, one.like) for one in saved.skipped] == [("a", "b"), ("d", "c")]
    assert saved.splits == {"test": 2}
    assert [one.id for one in await _questions(sets, 1, split="test")] == ["b", "c"]
    with pytest.raises(NoQuestions):
        await _questions(sets, 1, split="train")


async def test_a_version_that_is_deleted_takes_what_no_other_has(sets: QuestionSets, opened: Dependencies) -> None:
    for items in ([DAYS], [DAYS, WEEKS], [DAYS, {"question": "Three?"}]):
        await _save(sets, *items)
    await sets.delete(ACME, "policies", 2)
    assert await _rows(opened) == 2
    with pytest.raises(QuestionSetVersionNotFound, match="was deleted"):
        await sets.get(ACME, "policies", 2)
    await sets.delete(ACME, "policies", 3)
    saved = await _save(sets, {"question": "Four?"}, append=True)
    assert (saved.version, saved.newest, saved.questions) == (4, 4, 2)
    assert [one.question for one in await _questions(sets, 4)] == ["How many days?", "Four?"]
    await sets.delete(ACME, "policies", 4)
    with pytest.raises(LastVersion):
        await sets.delete(ACME, "policies", 1)
    assert await _rows(opened) == 1


async def test_a_set_that_is_deleted_leaves_no_question_and_gives_no_number_twice(
    sets: QuestionSets, opened: Dependencies
) -> None:
    await _save(sets, DAYS)
    await sets.delete(ACME, "policies")
    assert await _rows(opened) == 0
    for reading in (
        sets.get(ACME, "policies"),
        sets.delete(ACME, "policies"),
        sets.list_versions(ACME, "policies", 1, None),
    ):
        with pytest.raises(QuestionSetNotFound):
            await reading
    assert (await _save(sets, DAYS)).version == 2
    assert (await _save(sets, WEEKS, append=True)).questions == 2


async def test_tenants_see_their_own_sets_and_limited_keys_what_they_made(sets: QuestionSets) -> None:
    await _save(sets, DAYS)
    await _save(sets, WEEKS, viewer=LIMITED, name="mine")
    stranger = Viewer("other", "key_9")
    for viewer in (stranger, LIMITED):
        with pytest.raises(QuestionSetNotFound):
            await sets.get(viewer, "policies")
        with pytest.raises(QuestionSetNotFound):
            await sets.delete(viewer, "policies")
    with pytest.raises(QuestionSetNotYours):
        await _save(sets, WEEKS, viewer=LIMITED)
    names = [
        [one.name for one in (await sets.list_sets(viewer, 10, None)).data]
        for viewer in (ACME, LIMITED, OTHER_LIMITED, stranger)
    ]
    assert names == [["mine", "policies"], ["mine"], [], []]
    assert (await _save(sets, WEEKS, viewer=stranger)).version == 1
    await sets.delete(ACME, "policies")
    assert (await _save(sets, WEEKS, viewer=OTHER_LIMITED)).key_id == "key_3"


async def test_a_tenant_has_as_many_sets_and_questions_as_it_may(sets: QuestionSets) -> None:
    for name in ("one", "two", "three"):
        await _save(sets, DAYS, name=name)
    with pytest.raises(TooManyQuestionSets):
        await _save(sets, DAYS, name="four")
    await sets.delete(ACME, "one")
    await _save(sets, DAYS, name="four")
    with pytest.raises(TooManyQuestions, match="The tenant would have 51"):
        await _save(sets, *({"question": f"{n}?"} for n in range(48)), name="two", append=True)
    assert (await sets.get(ACME, "two")).version == 1, "nothing of it is kept"


async def test_savers_at_once_lose_nothing_of_each_other(sets: QuestionSets, clock: ManualClock) -> None:
    await asyncio.gather(*(_save(sets, {"question": f"Number {n}?"}, append=True) for n in range(4)))
    newest = await sets.get(ACME, "policies")
    assert (newest.version, newest.questions) == (4, 4)


async def test_a_list_goes_on_where_its_page_ended(sets: QuestionSets) -> None:
    for name in ("a", "b", "c"):
        await _save(sets, DAYS, name=name)
        await _save(sets, WEEKS, name=name)
    first = await sets.list_sets(ACME, 2, None)
    rest = await sets.list_sets(ACME, 2, first.next_cursor)
    assert [(one.name, one.version) for one in (*first.data, *rest.data)] == [("a", 2), ("b", 2), ("c", 2)]
    assert rest.next_cursor is None


async def test_a_tenant_that_is_deleted_has_nothing_left(sets: QuestionSets, opened: Dependencies) -> None:
    await _save(sets, DAYS)
    await _save(sets, DAYS, viewer=Viewer("other", "key_9"))
    await sets.delete_tenant("acme")
    assert await _rows(opened) == 1
    assert (await sets.list_sets(ACME, 10, None)).data == []
    assert (await _save(sets, DAYS)).version == 1
