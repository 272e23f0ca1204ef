"""From what people said of answers to questions that a model can learn from."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Collection, Sequence
from tempfile import TemporaryFile
from typing import Any

from contracts.improvement.question_sets import QuestionItem
from groundwork.client import Groundwork

RECORDED_SECONDS = 60.0
"""Records are written in groups, and feedback is exported of answers that are on record."""


def rated_questions(client: Groundwork, answer_ids: Collection[str]) -> list[dict[str, Any]]:
    """The export `questions`, of these answers alone: each question, right answers, and the documents they cite."""
    until, pause = time.monotonic() + RECORDED_SECONDS, threading.Event()
    while True:
        with TemporaryFile() as written:
            client.feedback.export("questions", written)
            written.seek(0)
            lines = [json.loads(line) for line in written]
        found = [line for line in lines if set(line["metadata"]["answer_ids"]) & set(answer_ids)]
        if len(found) >= len(answer_ids) or time.monotonic() > until:
            return found
        pause.wait(1.0)


def reviewed(rated: Sequence[dict[str, Any]], known: Sequence[QuestionItem]) -> list[dict[str, Any]]:
    """Where the answer had no right source, somebody who knows names the document (in the console by “Correct”)."""
    documents = {one.question: one.documents for one in known}
    return [
        {**one, "documents": one["documents"] or documents[one["question"]], "labels": ["rated"], "split": "train"}
        for one in rated
    ]
