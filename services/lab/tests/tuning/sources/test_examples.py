from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts.improvement.question_sets import QuestionRecord
from lab.tuning.errors import CollectionUnfit, CollectionUnnamed, TooFewExamples
from lab.tuning.method import Work
from lab.tuning.sources.collection import Chunks
from lab.tuning.sources.examples import asked, collection_of, examples_of

CHUNKS = Chunks(
    texts=["a", "b", "c", "d"],
    owners=[0, 0, 0, 1],
    spans=[(0, 10), (10, 20), (20, 30), (0, 10)],
    documents={"pumps": 0, "lamps": 1},
)


def _question(number: int, **more: Any) -> QuestionRecord:
    return QuestionRecord.model_validate({"id": f"q{number}", "question": f"number {number}?", **more})


def _made(number: int, collection: str = "manuals", **span: Any) -> QuestionRecord:
    about = {"collection": collection, "document_id": "pumps", "start": 12, "end": 18, **span}
    return _question(number, documents={"pumps": 1}, metadata={"generated": about})


def _work(train: list[QuestionRecord], held_out: list[QuestionRecord]) -> Work:
    nothing: Any = None
    return Work("ftjob_1", "words", 7, {}, train, held_out, [], Path("/nowhere"), None, nothing, nothing)


def test_of_a_generated_question_the_chunks_of_its_passage_answer_and_else_all_of_its_documents() -> None:
    train = [_made(1), _made(2, start=15, end=25), _made(3, start=90, end=95), *(_made(n) for n in range(4, 12))]
    train.append(_question(12, documents={"lamps": 2, "gone": 1}))
    held_out = [_question(n, documents={"pumps": 1, "lamps": 3}) for n in range(20, 26)]
    learnt, judged = examples_of(_work(train, held_out), CHUNKS, "manuals")
    by_id = {one.question.id: (list(one.chunks), dict(one.grades)) for one in learnt}
    assert [by_id[name] for name in ("q1", "q2", "q3")] == [([1], {0: 1}), ([1, 2], {0: 1}), ([0, 1, 2], {0: 1})]
    assert by_id["q12"] == ([3], {1: 2}), "a document that is gone counts no more"
    assert [dict(one.grades) for one in judged] == [{0: 1, 1: 3}] * 6


def test_questions_whose_documents_are_not_there_teach_nothing() -> None:
    gone = [_question(n, documents={"gone": 1}) for n in range(30)]
    with pytest.raises(CollectionUnfit, match="none of the documents that the questions name"):
        examples_of(_work(gone[:20], gone[20:]), CHUNKS, "manuals")
    few = [*gone[:15], *(_made(n) for n in range(100, 105))]
    with pytest.raises(TooFewExamples, match="There are 5 questions"):
        examples_of(_work(few, [_made(n) for n in range(200, 210)]), CHUNKS, "manuals")


def test_a_document_may_be_called_by_a_name_that_no_other_has() -> None:
    chunks = Chunks(CHUNKS.texts, CHUNKS.owners, CHUNKS.spans, CHUNKS.documents)
    chunks.call(0, ("/files/pumps.md", "pumps.md", "Manual"))
    chunks.call(1, ("/files/lamps.md", "lamps.md", "Manual", "pumps"))
    train = [_question(n, documents={"lamps.md": 2}) for n in range(20)]
    held_out = [_question(n, documents={"/files/pumps.md": 1, "Manual": 3}) for n in range(20, 26)]
    learnt, judged = examples_of(_work(train, held_out), chunks, "manuals")
    assert {(tuple(one.chunks), tuple(one.grades.items())) for one in learnt} == {((3,), ((1, 2),))}
    assert [dict(one.grades) for one in judged] == [{0: 1}] * 6, "both are called Manual: it names neither"
    assert chunks.number_of("pumps") == 0, "an id comes before a name"


def test_the_collection_is_the_one_that_all_were_made_from() -> None:
    assert collection_of([_made(1), _made(2)]) == "manuals"
    for questions in ([_made(1), _made(2, "other")], [_made(1), _question(2)], [_question(1)]):
        with pytest.raises(CollectionUnnamed):
            collection_of(questions)


def test_of_a_conversation_its_last_turn_is_searched_for() -> None:
    turns = [{"role": role, "content": text} for role, text in (("user", "a"), ("assistant", "b"), ("user", "c"))]
    assert asked(QuestionRecord.model_validate({"id": "q", "turns": turns})) == "c"
    assert asked(_question(1)) == "number 1?"
