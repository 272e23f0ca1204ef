from __future__ import annotations

from typing import Any

import pytest
from services.lab.tests.generation.asking import Library
from services.lab.tests.tuning.methods.test_reading import NO_BASES, Inference

from contracts.improvement.question_sets import QuestionRecord
from contracts.retrieval.search import Hit
from lab.tuning.gates.sensitive import mask_questions
from lab.tuning.methods.process import Limits
from lab.tuning.methods.reading import Reading
from lab.tuning.sources.passages import answers_it, teaches_reading, text_of


def _hit(**more: Any) -> Hit:
    about = {"collection": "c", "document_id": "d1", "revision": 1, "chunk_id": "c1", "title": "Manual", "source": "s"}
    text = {"text": "The pump holds 12 litres.", "start": 100, "end": 125, "heading_path": ["Water", "Pump"]}
    return Hit.model_validate({**about, **text, "score": 1.0, "scores": {}, **more})


def _question(**more: Any) -> QuestionRecord:
    about = {"id": "q", "question": "How much?", "documents": {"d1": 1}, "answers": ["12 Litres"]}
    return QuestionRecord.model_validate({**about, **more})


def test_a_passage_of_the_document_with_the_answer_s_words_answers() -> None:
    assert answers_it(_question(), _hit())
    assert not answers_it(_question(), _hit(text="The pump holds 112 litres."))
    assert not answers_it(_question(), _hit(document_id="d2"))
    assert not answers_it(_question(documents={"d1": 0}), _hit())
    assert answers_it(_question(documents={"Manual": 1}), _hit()), "as evaluations call documents"


def test_a_passage_answers_by_an_address_that_is_masked_for_models_that_learn_words() -> None:
    asked = _question(question="Where to, says jo@acme.example?", answers=["hr@acme.example"])
    method = Reading(Inference(), Library(), Limits(1, 1, 1.0), NO_BASES)  # type: ignore[arg-type]
    (masked,) = mask_questions([asked], method.learns_answers).questions
    assert masked.question == "Where to, says [email]?"
    assert answers_it(masked, _hit(text="Write to hr@acme.example."))
    assert not answers_it(masked, _hit(text="Write an email to them."))


@pytest.mark.parametrize(
    ("span", "is_it"),
    [
        ({"document_id": "d1", "start": 90, "end": 101}, True),
        ({"document_id": "d1", "start": 125, "end": 140}, False),
        ({"document_id": "d2", "start": 90, "end": 101}, False),
    ],
)
def test_of_a_question_that_was_made_from_a_passage_what_overlaps_it_answers(span: dict[str, Any], is_it: bool) -> None:
    made = _question(metadata={"generated": span}, answers=["nowhere"])
    assert answers_it(made, _hit()) is is_it


def test_nothing_answers_a_question_that_has_no_answer() -> None:
    assert not answers_it(_question(answerable=False), _hit())


def test_a_question_teaches_by_its_answer_and_documents_or_by_having_none() -> None:
    assert teaches_reading(_question())
    assert teaches_reading(_question(answerable=False, answers=[], documents={}))
    assert not teaches_reading(_question(answers=[]))
    assert not teaches_reading(_question(documents={}))


def test_a_passage_is_read_under_its_title_and_nearest_heading() -> None:
    assert text_of(_hit()) == "Manual\nPump\nThe pump holds 12 litres."
    assert text_of(_hit(heading_path=["Manual"])) == "Manual\nThe pump holds 12 litres."
