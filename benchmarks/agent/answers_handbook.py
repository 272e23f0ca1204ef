"""The sample handbook's questions through the official OpenAI client: the first part of `make bench-answers`.

Prints how often the right document was cited and the answer string present, how often it abstained where the documents
hold no answer, and how many quotes differ from their span (which must be none).
"""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

from openai import OpenAI

from benchmarks.home import ROOT, Home

HANDBOOK = ROOT / "examples" / "handbook"
QUESTIONS = ROOT / "examples" / "handbook-questions.jsonl"
COLLECTION = "handbook"


@dataclass(frozen=True)
class Question:
    """One line of the questions' file."""

    id: str
    question: str
    document: str | None
    answer: str | None
    answerable: bool


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
        return self.question.document in self.cited

    @property
    def answer_present(self) -> bool:
        """The answer string is in the text, white space apart."""
        return " ".join((self.question.answer or "").split()) in " ".join(self.content.split())

    @property
    def abstained(self) -> bool:
        """It said that the documents don't hold the answer."""
        return self.kind == "abstained"

    @property
    def good(self) -> bool:
        """Cited and right, or rightly abstained."""
        return self.right_document and self.answer_present if self.question.answerable else self.abstained


def questions() -> list[Question]:
    """The handbook's questions."""
    return [Question(**json.loads(line)) for line in QUESTIONS.read_text().splitlines() if line]


def ask(home: Home, client: OpenAI, question: Question) -> Outcome:
    """Ask as any OpenAI client would, then check every quote against the document's text."""
    started = time.perf_counter()
    answer = client.chat.completions.create(
        model=f"rag:{COLLECTION}", messages=[{"role": "user", "content": question.question}]
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
    figures = {
        "right document cited": f"{sum(o.right_document for o in answerable)} of {len(answerable)}",
        "answer string present": f"{sum(o.answer_present for o in answerable)} of {len(answerable)}",
        "abstained where there is no answer": f"{sum(o.abstained for o in others)} of {len(others)}",
        "abstained where there is one": f"{sum(o.abstained for o in answerable)} of {len(answerable)}",
        "quotes that differ from their span": sum(o.mismatches for o in outcomes),
        "seconds an answer, median": round(statistics.median(o.seconds for o in outcomes), 2),
        "seconds an answer, slowest": round(max(o.seconds for o in outcomes), 2),
    }
    for outcome in outcomes:
        mark = "ok  " if outcome.good else "MISS"
        print(f"{mark} {outcome.question.id} [{outcome.kind}] {outcome.question.question}")
        if not outcome.good:
            print(f"       wanted {outcome.question.document}: {outcome.question.answer}")
            print(f"       got    {outcome.cited}: {' '.join(outcome.content.split())[:300]}")
    print()
    for name, value in figures.items():
        print(f"{name:<38} {value}")
    return figures


def measure(home: Home) -> dict[str, Any]:
    """Ingest the handbook, ask everything, print."""
    home.groundwork("ingest", str(HANDBOOK), "--collection", COLLECTION)
    client = OpenAI(base_url=f"{home.base_url}/v1", api_key=home.key, timeout=180, max_retries=0)
    return report([ask(home, client, question) for question in questions()])
