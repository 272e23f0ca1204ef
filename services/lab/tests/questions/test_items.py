from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.improvement.question_sets import QuestionItem
from lab.questions.items import Item, counts_of, digest_of, make_item, stored_item


def _item(**fields: Any) -> Item:
    return make_item(QuestionItem.model_validate({"question": "How many days?", **fields}), "items[0]")


def test_a_question_without_an_id_has_the_same_one_in_every_version() -> None:
    one, other = _item(), _item(question="how many days", answers=["27"], split="test")
    assert one.id == other.id
    assert one.id.startswith("q_")
    assert _item(question="How many weeks?").id != one.id
    assert _item(id="mine").id == "mine"


def test_what_is_stored_is_read_again_as_it_was() -> None:
    item = _item(documents={"leave": 2, "nothing": 0}, labels=["leave"], metadata={"team": ["hr", 1]}, answerable=True)
    assert item.content == {
        "id": item.id,
        "question": "How many days?",
        "documents": {"leave": 2},
        "labels": ["leave"],
        "metadata": {"team": ["hr", 1]},
        "answerable": True,
    }
    again = stored_item(item.content, item.digest)
    assert (again.id, again.digest, again.split) == (item.id, item.digest, None)
    assert "saved question" in again.place


def test_the_order_of_questions_is_no_content_and_every_field_is() -> None:
    one, other = _item(), _item(question="How many weeks?")
    assert digest_of([one, other]) == digest_of([other, one])
    assert digest_of([one]) != digest_of([_item(labels=["leave"])])


def test_documents_may_be_a_list_or_one_id() -> None:
    assert _item(documents=["a", "b"]).content["documents"] == {"a": 1, "b": 1}
    assert _item(documents="a").content["documents"] == {"a": 1}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"turns": [{"role": "user", "content": "Hi"}]}, "one of 'question' and 'turns'"),
        ({"question": None}, "one of 'question' and 'turns'"),
        ({"question": "  "}, "pattern"),
        ({"question": None, "turns": [{"role": "assistant", "content": "Hi"}]}, "the user's"),
        ({"answerable": False, "answers": ["27"]}, "not answerable"),
        ({"documents": {"a": True}}, "valid integer"),
        ({"split": "My split"}, "pattern"),
        ({"anser": "27"}, "Extra inputs"),
        ({"metadata": {"a": "\ud800"}}, "surrogate"),
    ],
)
def test_what_is_no_question_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        _item(**fields)


def test_a_set_says_how_many_questions_it_has_of_each_kind() -> None:
    items = [
        _item(answers=["27"], split="train", labels=["leave", "leave", "days"]),
        _item(question="Two?", documents=["a"], split="test", labels=["leave"]),
        _item(question="Three?", answerable=False, split="test"),
        _item(question="Four?"),
    ]
    assert counts_of(items) == {
        "questions": 4,
        "answerable": 2,
        "unanswerable": 1,
        "splits": {"test": 2, "train": 1},
        "labels": {"days": 1, "leave": 2},
    }


def test_a_set_names_the_labels_that_most_questions_have() -> None:
    rare = [_item(question=f"Question {n}?", labels=[f"rare-{n}", "frequent"]) for n in range(60)]
    labels = counts_of([*rare, _item(question="More?", labels=["rare-59"])])["labels"]
    assert len(labels) == 50
    assert (labels["frequent"], labels["rare-59"]) == (60, 2)


def test_a_message_shows_where_a_question_stands_and_how_it_begins() -> None:
    shown = _item(question="Why? " * 100, split="train").shown()
    assert shown.startswith("items[0] ('Why? Why?")
    assert shown.endswith("…', train)")
    assert len(shown) < 120
