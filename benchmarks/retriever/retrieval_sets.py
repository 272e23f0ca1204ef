"""Retrieval sets: documents, questions and which documents are relevant to which question.

A set is a folder with `corpus.jsonl` ({_id, title, text}), `queries.jsonl` ({_id, text}) and `qrels.tsv` (the layout of
BEIR), or a folder of documents with a `questions.jsonl`, as the sample handbook is.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.home import ROOT
from extraction.formats.detection import HEAD, Received, detect
from extraction.formats.reader import extract
from extraction.model.document import Extracted
from extraction.model.limits import Limits
from extraction.text import plain
from groundwork.client.transfers.files import find_files
from groundwork.evaluation.questions import Question, json_lines, read_questions

HANDBOOK = ROOT / "examples" / "handbook"
SEED = 20_251
_LIMITS = Limits(max_pages=5000, max_text_chars=50_000_000)


@dataclass(frozen=True, slots=True)
class SetDocument:
    """A document of a set as ingest has it after parsing."""

    id: str
    title: str
    extracted: Extracted


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """A named folder of one of the two layouts."""

    name: str
    folder: Path

    def documents(self) -> Iterator[SetDocument]:
        """All documents, parsed by ingest's parsers."""
        if not self._is_corpus:
            files = find_files([str(self.folder)]).files
            yield from map(_parsed, (file for file in files if file != self._own_questions))
            return
        for _, line in json_lines(self.folder / "corpus.jsonl"):
            yield SetDocument(str(line["_id"]), line.get("title") or "", plain.parse(line["text"]))

    def questions(self, at_most: int) -> list[Question]:
        """The questions that have a relevant document; a sample, always the same, of `at_most` unless that is 0."""
        path = self.folder if self._is_corpus else self._own_questions
        found = [question for question in read_questions(path) if question.relevant]
        if not at_most or len(found) <= at_most:
            return found
        return random.Random(SEED).sample(found, at_most)

    @property
    def _own_questions(self) -> Path:
        """In the folder, or beside it as `FOLDER-questions.jsonl`, where a folder holds documents alone."""
        inside = self.folder / "questions.jsonl"
        return inside if inside.is_file() else self.folder.with_name(f"{self.folder.name}-questions.jsonl")

    @property
    def _is_corpus(self) -> bool:
        return (self.folder / "corpus.jsonl").is_file()


def find_sets(folder: Path | None, only: list[str]) -> list[RetrievalSet]:
    """The sets under a folder by name, all or only those (`xquad_r` means all of `xquad_r/…`); without a folder the
    sample handbook. Raises `SystemExit` where there are none.
    """
    if folder is None:
        return [RetrievalSet("handbook", HANDBOOK)]
    found = {
        str(file.parent.relative_to(folder)): file.parent
        for pattern in ("corpus.jsonl", "questions.jsonl")
        for file in sorted(folder.rglob(pattern))
    }
    sets = [RetrievalSet(folder.name if name == "." else name, path) for name, path in sorted(found.items())]
    chosen = [one for one in sets if not only or any(f"{one.name}/".startswith(f"{name}/") for name in only)]
    if not chosen:
        names = ", ".join(one.name for one in sets) or "none"
        raise SystemExit(f"There is no such set in {folder}; it has: {names}.")
    return chosen


def _parsed(file: Path) -> SetDocument:
    content = file.read_bytes()
    received = Received(content[:HEAD], content[-HEAD:], b"\0" in content, file.name, "")
    extracted = extract(file, detect(received), _LIMITS)
    return SetDocument(file.name, extracted.title or file.stem, extracted)
