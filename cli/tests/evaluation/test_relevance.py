from __future__ import annotations

import pytest
from cli.tests.server import document

from contracts.documents.documents import Document
from groundwork.errors import QuestionsInvalid
from groundwork.evaluation.questions import Question
from groundwork.evaluation.relevance import KnownDocuments, resolve


def known(*pairs: tuple[str, str]) -> KnownDocuments:
    return KnownDocuments(Document.model_validate(document(id=id_, source=source)) for id_, source in pairs)


def test_documents_are_named_by_id_source_or_file_name() -> None:
    documents = known(("leave-1f", "handbook/leave.md"), ("b", "b.md"), ("b.md", "other.md"))
    question = Question("q", "?", {"leave.md": 1, "handbook/leave.md": 2, "b.md": 1, "b": 3}, "f, line 1")
    assert resolve([question], documents)[0].relevant == {"leave-1f": 2, "b.md": 1, "b": 3}


def test_an_ambiguous_name_is_refused_with_the_ids_that_it_may_mean() -> None:
    documents = known(("one", "a/x.md"), ("two", "b/x.md"))
    with pytest.raises(QuestionsInvalid, match=r"questions\.jsonl, line 4: 'x\.md' .* one, two"):
        resolve([Question("q", "?", {"x.md": 1}, "questions.jsonl, line 4")], documents)


def test_unknown_documents_are_refused_unless_they_may_be_missing() -> None:
    questions = [Question(str(at), "?", {f"no-{at}": 1}, f"f, line {at}") for at in range(5)]
    with pytest.raises(QuestionsInvalid, match=r"'no-0' \(f, line 0\), .* and 2 more\..*--allow-missing"):
        resolve(questions, known(("a", "a.md")))
    assert resolve(questions, known(("a", "a.md")), allow_missing=True)[0].relevant == {"no-0": 1}
