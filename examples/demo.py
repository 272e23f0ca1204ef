"""Groundwork in one minute: start everything, ingest a handbook, ask a question, print the cited answer, stop.

An application of the typed client, run by `make demo`. Ends with status 0 only if the answer cites the right document
and every quote is exactly the span of the document's text that its citation names.

Usage: python examples/demo.py [HOME]    (the folder is wiped; default .groundwork/demo)
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from groundwork.client import Answer, Groundwork, GroundworkError, TextDelta
from groundwork.client.transfers.bulk import ingest_files
from groundwork.client.transfers.files import find_files
from groundwork.commands.session import read_admin_key
from groundwork.stack.home.errors import StartFailed
from groundwork.stack.home.folder import Home
from groundwork.stack.lifecycle import down, up

HANDBOOK = Path(__file__).parent / "handbook"
QUESTIONS = Path(__file__).parent / "handbook-questions.jsonl"
HOME = Path(__file__).parent.parent / ".groundwork" / "demo"
COLLECTION = "handbook"
QUESTION_ID = "q01"
INGEST_SECONDS = 300.0


@dataclass(frozen=True)
class Question:
    """A question whose answer is known."""

    text: str
    document: str
    answer: str


def main() -> int:
    """The whole demo; returns the exit status."""
    question = read_question()
    home = Home.at(Path(sys.argv[1]) if sys.argv[1:] else HOME)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with running(home) as client:
            ingest(client)
            answer = ask(client, question)
            problems = check(client, question, answer)
    except KeyboardInterrupt:
        print("\nStopped.")
        return 130
    except GroundworkError as error:
        if isinstance(error, StartFailed):
            print(error.log, file=sys.stderr)
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1
    for problem in problems:
        print(f"WRONG: {problem}", file=sys.stderr)
    return 1 if problems else 0


@contextmanager
def running(home: Home) -> Iterator[Groundwork]:
    """A fresh home on a free port, stopped when the block ends."""
    down(home)
    shutil.rmtree(home.root, ignore_errors=True)
    print("Starting six services, a worker and a queue ...", flush=True)
    started = up(home, port=0)
    try:
        print(f"  ready in {started.seconds:.1f} s at {started.base_url}", flush=True)
        with Groundwork(started.base_url, read_admin_key(home.admin_key_file)) as client:
            yield client
    finally:
        began = time.monotonic()
        down(home)
        print(f"\nStopped in {time.monotonic() - began:.1f} s.", flush=True)


def read_question() -> Question:
    """The demo's question from the handbook's list."""
    for line in QUESTIONS.read_text().splitlines():
        entry = json.loads(line)
        if entry["id"] == QUESTION_ID:
            return Question(entry["question"], entry["document"], entry["answer"])
    raise GroundworkError(f"{QUESTIONS.name} has no question {QUESTION_ID}")


def ingest(client: Groundwork) -> None:
    """All documents of the handbook."""
    files = find_files([str(HANDBOOK)]).files
    print(f"Ingesting {len(files)} documents (PDF, DOCX, HTML, Markdown, text) ...", flush=True)
    client.collections.ensure(COLLECTION)
    batch = ingest_files(client, COLLECTION, files, timeout=INGEST_SECONDS)
    for state in batch.failed:
        raise GroundworkError(f"{state.file.name}: {state.failure}")
    collection = client.collections.get(COLLECTION)
    print(f"  {len(files)} documents, {collection.chunks} chunks searchable in {batch.seconds:.1f} s", flush=True)


def ask(client: Groundwork, question: Question) -> Answer:
    """Ask, printing the answer as it comes, then its citations and the times."""
    print(f"\nQ: {question.text}\nA: ", end="", flush=True)
    began = time.monotonic()
    first: float | None = None
    answer = Answer("")
    for event in client.ask_stream(COLLECTION, question.text):
        if isinstance(event, TextDelta):
            first = first or time.monotonic() - began
            print(event.text, end="", flush=True)
        else:
            answer = event.answer
    took = time.monotonic() - began
    print("\n")
    for citation in answer.citations:
        page = f", page {citation.page}" if citation.page else ""
        print(f"{citation.marker} {citation.title} ({citation.source}{page})\n    “{citation.quote}”")
    print(f"\nFirst token after {first or took:.2f} s, the whole answer after {took:.2f} s.", flush=True)
    return answer


def check(client: Groundwork, question: Question, answer: Answer) -> list[str]:
    """What is wrong with the answer; empty when it is right and its citations are honest."""
    problems = []
    if question.document not in {citation.source for citation in answer.citations}:
        problems.append(f"the answer does not cite {question.document}")
    if question.answer not in " ".join(answer.text.split()):
        problems.append(f"the answer does not say '{question.answer}'")
    for citation in answer.citations:
        text = client.documents.text(COLLECTION, citation.document_id, revision=citation.revision)
        if text[citation.start : citation.end] != citation.quote:
            problems.append(f"the quote of {citation.marker} is not characters {citation.start}..{citation.end}")
    return problems


if __name__ == "__main__":
    raise SystemExit(main())
