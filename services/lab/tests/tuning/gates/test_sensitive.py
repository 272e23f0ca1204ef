from __future__ import annotations

from contracts.improvement.question_sets import QuestionRecord
from lab.tuning.gates.sensitive import mask_questions

KEY = "sk-" + "abcdefghijklmnopqrstuvwx"
CARD = "4111 1111 1111 1111"


def test_every_text_that_is_learnt_is_masked_by_kind_and_nothing_else_is_changed() -> None:
    given = {
        "id": "jo.doe@mail.example",
        "turns": [{"role": "user", "content": f"I am jo.doe@mail.example, key {KEY}"}],
        "answers": [f"Card {CARD}, order 4111 1111 1111 1112"],
        "preferences": [{"preferred": "Call +49 170 1234567.", "rejected": "Mail jo@mail.example."}],
        "labels": ["mail"],
        "metadata": {"from": "jo.doe@mail.example"},
    }
    before = QuestionRecord.model_validate(given)
    masked = mask_questions([before, QuestionRecord(id="q", question="Who?", answers=["Ann"])])
    one, other = masked.questions
    assert one.turns is not None
    assert one.turns[0].content == "I am [email], key [openai_key]"
    assert one.answers == ["Card [card], order 4111 1111 1111 1112"]
    assert (one.preferences[0].preferred, one.preferences[0].rejected) == ("Call [phone].", "Mail [email].")
    assert (one.id, one.labels, one.metadata) == (before.id, before.labels, before.metadata)
    assert other == QuestionRecord(id="q", question="Who?", answers=["Ann"])
    assert masked.counts == {"card": 1, "email": 2, "openai_key": 1, "phone": 1}
    assert masked.found.keys() == {before.id}


def test_what_two_guards_find_in_one_place_is_masked_once() -> None:
    mail = f"{KEY}@mail.example"
    masked = mask_questions([QuestionRecord(id="q", question=f"Write to {mail}!")])
    assert masked.questions[0].question == "Write to [email]!"
    assert masked.counts == {"email": 1}
