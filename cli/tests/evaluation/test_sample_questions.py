"""What the sample questions say of the sample handbook is in its texts."""

from __future__ import annotations

import html
import json
import re
from functools import cache
from pathlib import Path

import pytest

from groundwork.evaluation.questions import read_questions

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
COLLOQUIAL = EXAMPLES / "handbook-colloquial-questions.jsonl"
DOCUMENTS = {path.name for path in (EXAMPLES / "handbook").iterdir()}
LINES = [json.loads(line) for line in COLLOQUIAL.read_text(encoding="utf-8").splitlines()]
ANSWERABLE = [line for line in LINES if line["answerable"]]
NEAR_MISSES = [line for line in LINES if not line["answerable"]]


@cache
def _text(document: str) -> str:
    """A document in lower case, in one line; of PDF and DOCX the text that they are made from."""
    source = EXAMPLES / "handbook_sources" / "texts" / f"{document}.md"
    text = (source if source.is_file() else EXAMPLES / "handbook" / document).read_text(encoding="utf-8")
    if document.endswith(".html"):
        text = html.unescape(re.sub("<[^>]*>", " ", text))
    return " ".join(text.casefold().split())


def _says(text: str, words: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(words.casefold())}(?!\w)", text) is not None


def test_the_colloquial_questions_are_read_and_their_ids_are_those_of_no_other() -> None:
    questions = read_questions(COLLOQUIAL)
    assert len(questions) == 60
    assert sum(bool(question.relevant) for question in questions) == len(ANSWERABLE) == 45
    ids = [question.id for question in [*questions, *read_questions(EXAMPLES / "handbook-questions.jsonl")]]
    assert len(ids) == len(set(ids))


def test_every_document_is_asked_about() -> None:
    assert {document for line in ANSWERABLE for document in line["documents"]} == DOCUMENTS


@pytest.mark.parametrize("line", ANSWERABLE, ids=lambda line: line["id"])
def test_an_answer_is_in_the_words_of_its_documents(line: dict[str, object]) -> None:
    documents, answer, accepted = line["documents"], line["answer"], line["accepted"]
    assert isinstance(documents, list)
    assert isinstance(answer, str)
    assert isinstance(accepted, list)
    assert 1 <= len(documents) <= 2
    assert all([answer, accepted, *accepted])
    text = " ".join(_text(document) for document in documents)
    assert not [word for word in re.findall(r"[^\s,;]+", answer) if not _says(text, word)]
    assert not [spellings[0] for spellings in accepted if not _says(text, spellings[0])]
    assert line.get("verdict") in {None, "yes", "no"}


@pytest.mark.parametrize("line", NEAR_MISSES, ids=lambda line: line["id"])
def test_a_question_without_an_answer_says_what_comes_near_and_why_it_is_none(line: dict[str, object]) -> None:
    nearest = line["nearest"]
    assert isinstance(nearest, list)
    assert set() < set(nearest) <= DOCUMENTS
    assert line["why"]
    assert line["answer"] is None
    assert line["accepted"] == line["documents"] == []


def test_turns_before_a_question_end_with_an_answer() -> None:
    for line in LINES:
        roles = [turn["role"] for turn in line.get("previous", ())]
        assert roles == ["user", "assistant"] * (len(roles) // 2), line["id"]
