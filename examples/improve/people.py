"""Who asks, and what they say of the answers: questions in words that the documents do not have, and their ratings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contracts.improvement.feedback import FeedbackCreate, FeedbackPart
from contracts.improvement.question_sets import QuestionItem
from groundwork.client import Answer, Groundwork

ASKED = Path(__file__).parent / "asked.jsonl"
"""What people ask who call each product by a name of their own, with what is right and the file that says it."""
KEPT_ASIDE = Path(__file__).parent / "kept-aside.jsonl"
"""What else they ask, and questions in the documents' words: nothing learns from these."""


def questions(file: Path) -> list[QuestionItem]:
    """A file's, as a question set has them."""
    return [QuestionItem.model_validate_json(line) for line in file.read_text(encoding="utf-8").splitlines()]


def rate(client: Groundwork, person: str, asked: QuestionItem, answer: Answer) -> bool:
    """Thumb up for the right answer with its source, else down with what is right; and which sources are wrong."""
    assert answer.id is not None
    wrong = [number for number, one in enumerate(answer.citations) if one.source not in asked.documents]
    right = asked.answers[0] in " ".join(answer.text.split()) and len(wrong) < len(answer.citations)
    said: dict[str, Any] = {"rating": "up"} if right else {"rating": "down", "correction": asked.answers[0]}
    client.feedback.give(FeedbackCreate(answer_id=answer.id, user=person, **said))
    for number in wrong:
        part = FeedbackPart(citation=number)
        client.feedback.give(FeedbackCreate(answer_id=answer.id, user=person, part=part, labels=["wrong_source"]))
    return right
