"""The sample handbook's questions through the official OpenAI client: the first part of `make bench-answers`.

First the forty that are worded like the documents, then sixty as people type them, some as follow-ups, then
forty others of that kind to develop by. Prints how often
the right document was cited and the answer present, how often it abstained where the documents hold no answer, and how
many quotes differ from their span (which must be none).

Right is an answer that cites one of the documents that hold it and has every part of it, in one of the spellings that
the question's file accepts; where there is none, an abstention. Whether yes or no is meant is not judged: an answer may
quote the rule and leave that to the reader.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

from openai import OpenAI

from benchmarks.home import ROOT, Home

HANDBOOK = ROOT / "examples" / "handbook"
QUESTIONS = ROOT / "examples" / "handbook-questions.jsonl"
COLLOQUIAL = ROOT / "examples" / "handbook-colloquial-questions.jsonl"
DEVELOPMENT = ROOT / "examples" / "handbook-development-questions.jsonl"
"""As people type them, too; what may be looked at while answers are made better."""
COLLECTION = "handbook"
TOP_K = int(os.environ.get("TOP_K", "8"))
"""Chunks that an answer looks at."""


@dataclass(frozen=True)
class Question:
    """One line of a questions' file. `accepted` has for each part of the answer the spellings that are right."""

    id: str
    question: str
    documents: tuple[str, ...]
    accepted: tuple[tuple[str, ...], ...]
    answer: str | None
    answerable: bool
    previous: tuple[dict[str, str], ...] = ()

    @property
    def messages(self) -> list[dict[str, str]]:
        """What was said before, and the question."""
        return [*self.previous, {"role": "user", "content": self.question}]

    def has_answer(self, text: str) -> bool:
        """Whether every part of the answer is in a text, as words and numbers of their own."""
        found = " ".join(text.split())
        return all(any(_spelled(spelling).search(found) for spelling in part) for part in self.accepted)


def _spelled(answer: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?<!\d[.,]){re.escape(' '.join(answer.split()))}(?!\w|[.,]\d)", re.IGNORECASE)


@dataclass
class Outcome:
    """What came of one question."""

    question: Question
    content: str
    kind: str
    cited: list[str]
    mismatches: int
    seconds: float

    @property
    def right_document(self) -> bool:
        """The expected document is among the cited ones."""
        return not set(self.question.documents).isdisjoint(self.cited)

    @property
    def answer_present(self) -> bool:
        """Every part of the answer is in the text."""
        return self.question.has_answer(self.content)

    @property
    def abstained(self) -> bool:
        """It said that the documents don't hold the answer."""
        return self.kind == "abstained"

    @property
    def good(self) -> bool:
        """Cited and right, or rightly abstained."""
        return self.right_document and self.answer_present if self.question.answerable else self.abstained


def questions(file: Path = QUESTIONS) -> list[Question]:
    """The questions of a file about the handbook."""
    return [_question(json.loads(line)) for line in file.read_text().splitlines() if line]


def _question(entry: dict[str, Any]) -> Question:
    documents = entry.get("documents", [entry.get("document")])
    accepted = entry.get("accepted") or ([[entry["answer"]]] if entry["answer"] else [])
    return Question(
        id=entry["id"],
        question=entry["question"],
        documents=tuple(filter(None, documents)),
        accepted=tuple(map(tuple, accepted)),
        answer=entry["answer"],
        answerable=entry["answerable"],
        previous=tuple(entry.get("previous", ())),
    )


def ask(home: Home, client: OpenAI, question: Question) -> Outcome:
    """Ask as any OpenAI client would, then check every quote against the document's text."""
    started = time.perf_counter()
    answer = client.chat.completions.create(
        model=f"rag:{COLLECTION}",
        messages=question.messages,  # type: ignore[arg-type]  # plain dictionaries, as callers send them
        extra_body={"groundwork": {"top_k": TOP_K}},
    )
    seconds = time.perf_counter() - started
    message: Any = answer.choices[0].message
    report: Any = (answer.model_extra or {})["groundwork"]
    annotations = [
        note if isinstance(note, dict) else note.model_dump() for note in getattr(message, "annotations", None) or []
    ]
    return Outcome(
        question=question,
        content=message.content or "",
        kind=report["answer_kind"],
        cited=[note["source"].rpartition("/")[2] for note in annotations],
        mismatches=sum(not quote_matches(home, note) for note in annotations),
        seconds=seconds,
    )


def quote_matches(home: Home, note: dict[str, Any]) -> bool:
    """Whether the quote is exactly the characters start..end of the document's text of that revision."""
    path = (
        f"/v1/collections/{note['collection']}/documents/{quote(note['document_id'])}/text?revision={note['revision']}"
    )
    with urlopen(Request(home.base_url + path, headers={"Authorization": f"Bearer {home.key}"}), timeout=30) as reply:
        text = reply.read().decode()
    return bool(text[note["start"] : note["end"]] == note["quote"])


def report(outcomes: list[Outcome]) -> dict[str, Any]:
    """The figures, printed with every question that went wrong."""
    answerable = [outcome for outcome in outcomes if outcome.question.answerable]
    others = [outcome for outcome in outcomes if not outcome.question.answerable]
    given = [outcome for outcome in outcomes if not outcome.abstained]
    figures = {
        "right": f"{sum(o.good for o in outcomes)} of {len(outcomes)}",
        "right document cited": f"{sum(o.right_document for o in answerable)} of {len(answerable)}",
        "answer string present": f"{sum(o.answer_present for o in answerable)} of {len(answerable)}",
        "abstained where there is no answer": f"{sum(o.abstained for o in others)} of {len(others)}",
        "abstained where there is one": f"{sum(o.abstained for o in answerable)} of {len(answerable)}",
        "quotes that differ from their span": sum(o.mismatches for o in outcomes),
        "citations an answer": round(statistics.mean(len(o.cited) for o in given), 2) if given else 0.0,
        "words an answer": round(statistics.mean(len(o.content.split()) for o in given), 1) if given else 0.0,
        "seconds an answer, median": round(statistics.median(o.seconds for o in outcomes), 2),
        "seconds an answer, slowest": round(max(o.seconds for o in outcomes), 2),
    }
    for outcome in outcomes:
        mark = "ok  " if outcome.good else "MISS"
        print(f"{mark} {outcome.question.id} [{outcome.kind}] {outcome.question.question}")
        if not outcome.good:
            print(f"       wanted {list(outcome.question.documents)}: {outcome.question.answer}")
            print(f"       got    {outcome.cited}: {' '.join(outcome.content.split())[:300]}")
    print()
    for name, value in figures.items():
        print(f"{name:<38} {value}")
    return figures


def measure(home: Home) -> dict[str, Any]:
    """Ingest the handbook, ask everything, print; the figures of the colloquial questions are `colloquial`."""
    home.groundwork("ingest", str(HANDBOOK), "--collection", COLLECTION)
    client = OpenAI(base_url=f"{home.base_url}/v1", api_key=home.key, timeout=180, max_retries=0)
    worded = report([ask(home, client, question) for question in questions()])
    print("\nas people type them")
    colloquial = report([ask(home, client, question) for question in questions(COLLOQUIAL)])
    print("\nothers, to develop by")
    development = report([ask(home, client, question) for question in questions(DEVELOPMENT)])
    return {**worded, "colloquial": colloquial, "development": development}
