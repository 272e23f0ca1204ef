"""Public question sets for `make bench-answers`: their documents, and questions with and without an answer in them.

Nothing of them is kept in the project; `ANSWER_DATA` names the folder, else `../shared/data/qa` is taken.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.home import ROOT

SEED = 11
ALL = 1_000_000
T = TypeVar("T")


@dataclass(frozen=True)
class Document:
    """One document to ingest."""

    id: str
    title: str
    text: str


@dataclass(frozen=True)
class Gold:
    """Where an answer stands: a document, and a span of it if that is known."""

    document: str
    start: int = 0
    end: int = ALL


@dataclass(frozen=True)
class Case:
    """One question of a set. `answers` are strings of which one must be there; none means that it is unanswerable."""

    question: str
    answers: tuple[str, ...]
    gold: tuple[Gold, ...] = ()
    wrong: tuple[str, ...] = ()
    """What other documents of the collection say instead."""
    inside_words: bool = False
    """Whether an answer also counts within a word, as in scripts without blanks and behind prefixes."""

    @property
    def answerable(self) -> bool:
        """Whether the documents hold the answer."""
        return bool(self.answers)


@dataclass(frozen=True)
class AnswerSet:
    """A collection and its questions."""

    name: str
    documents: list[Document]
    cases: list[Case]
    plain: bool = True
    """Whether it is asked the plain way, too."""


def data_folder() -> Path | None:
    """The folder of the sets, if there is one."""
    named = os.environ.get("ANSWER_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data" / "qa"
    return folder if folder.is_dir() else None


def load(folder: Path, each: int, names: Sequence[str] = ()) -> Iterator[AnswerSet]:
    """The sets (or those named) with about `each` questions of a kind, always the same ones."""
    readers: Sequence[Callable[[Path, int], AnswerSet]] = (squad2, policyqa, chroma, rgb, rgb_without, rgb_conflicts)
    for read in readers:
        if not names or read.__name__.replace("_", "-") in names:
            yield read(folder, each)


def squad2(folder: Path, each: int) -> AnswerSet:
    """Two articles by paragraph; half of the questions were written to look answerable and are not."""
    documents = [
        Document(f"squad2-{row['_id']}", row["title"], row["text"])
        for row in lines(folder / "squad2_part/corpus.jsonl")
    ]
    where = {document.id: document.text for document in documents}
    answerable, others = [], []
    for row in lines(folder / "squad2_part/qa.jsonl"):
        document = f"squad2-{row['context_id']}"
        if row["is_impossible"]:
            others.append(Case(row["question"], ()))
        else:
            gold = tuple(_found(document, where[document], answer) for answer in row["answers"])
            answerable.append(Case(row["question"], tuple(row["answers"]), gold))
    return AnswerSet("squad2", documents, [*some(answerable, each), *some(others, each)])


def policyqa(folder: Path, each: int) -> AnswerSet:
    """Privacy policies, one a site; each question is asked with the name of its site, as in a search over many."""
    texts: dict[str, str] = {}
    starts: dict[str, tuple[str, int]] = {}
    for row in lines(folder / "policyqa/dev_contexts.jsonl"):
        before = texts.get(row["title"], "")
        texts[row["title"]] = f"{before}{row['text']}\n\n"
        starts[row["_id"]] = (row["title"], len(before))
    cases = []
    for row in lines(folder / "policyqa/dev_qa.jsonl"):
        site, start = starts[row["context_id"]]
        found = [(answer, texts[site].find(answer, start)) for answer in row["answers"]]
        gold = tuple(Gold(site, at, at + len(answer)) for answer, at in found if at >= 0)
        cases.append(Case(f"{site}: {row['question']}", tuple(row["answers"]), gold))
    documents = [Document(site, site, text) for site, text in texts.items()]
    return AnswerSet("policyqa", documents, some(cases, each))


def chroma(folder: Path, each: int) -> AnswerSet:
    """Long documents, with the exact spans of the evidence; `LONG=1` takes the two longest ones, too."""
    left = () if os.environ.get("LONG") else ("finance.md", "pubmed.md")
    paths = [path for path in sorted((folder / "chroma_chunk_eval/docs").glob("*.md")) if path.name not in left]
    documents = [Document(path.name, path.stem.replace("_", " "), path.read_text()) for path in paths]
    names = {document.id for document in documents}
    cases = [
        Case(
            row["question"],
            tuple(part["content"] for part in row["references"]),
            tuple(Gold(row["doc"], part["start_index"], part["end_index"]) for part in row["references"]),
        )
        for row in lines(folder / "chroma_chunk_eval/qa.jsonl")
        if row["doc"] in names
    ]
    return AnswerSet("chroma", documents, some(cases, each))


def rgb(folder: Path, each: int) -> AnswerSet:
    """Snippets that answer among others on the same matter that do not."""
    rows = some(list(lines(folder / "rgb/en_fact.jsonl")), each)
    cases, documents = [], []
    for row in rows:
        right = [_snippet(row, "positive", at, text) for at, text in enumerate(row["positive"][:3])]
        documents += right + [_snippet(row, "negative", at, text) for at, text in enumerate(row["negative"][:6])]
        cases.append(Case(row["query"], _strings(row["answer"]), tuple(Gold(document.id) for document in right)))
    return AnswerSet("rgb", documents, cases)


def rgb_without(folder: Path, each: int) -> AnswerSet:
    """The snippets on the same matter alone: none answers."""
    rows = [row for row in lines(folder / "rgb/en_fact.jsonl") if len(row["negative"]) > 2]
    documents, cases = [], []
    for row in some(rows, each):
        texts = [text for text in row["negative"] if not _says(text, _strings(row["answer"]))]
        documents += [_snippet(row, "negative", at, text) for at, text in enumerate(texts[:6])]
        cases.append(Case(row["query"], ()))
    return AnswerSet("rgb-without", documents, cases)


def rgb_conflicts(folder: Path, each: int) -> AnswerSet:
    """Two snippets that answer and two that say otherwise in the same words: both have to be shown."""
    documents, cases = [], []
    for row in some(list(lines(folder / "rgb/en_fact.jsonl")), each):
        said = [text for text in row["positive"] if _says(text, _strings(row["answer"]))][:2]
        wrong = [text for text in row["positive_wrong"] if _says(text, _strings(row["fakeanswer"]))][:2]
        if said and wrong:
            right = [_snippet(row, "right", at, text) for at, text in enumerate(said)]
            documents += right + [_snippet(row, "wrong", at, text) for at, text in enumerate(wrong)]
            answers, gold = _strings(row["answer"]), tuple(Gold(one.id) for one in right)
            cases.append(Case(row["query"], answers, gold, _strings(row["fakeanswer"])))
    return AnswerSet("rgb-conflicts", documents, cases)


def normal(text: str) -> str:
    """Lower case, words and numbers only: how answer strings are looked for."""
    return " ".join(re.findall(r"[^\W_]+(?:[.,'’-]\w+)*", text.lower()))


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file with one a line."""
    for line in path.read_text().splitlines():
        if line:
            yield json.loads(line)


def some(rows: list[T], count: int) -> list[T]:
    """So many rows, always the same ones."""
    return random.Random(SEED).sample(rows, min(count, len(rows)))


def _found(document: str, text: str, answer: str) -> Gold:
    at = text.find(answer)
    return Gold(document, at, at + len(answer)) if at >= 0 else Gold(document)


def _snippet(row: dict[str, Any], kind: str, at: int, text: str) -> Document:
    return Document(f"rgb-{row['id']}-{kind}-{at}", f"Snippet {row['id']}.{at}", text)


def _strings(answer: Any) -> tuple[str, ...]:
    if isinstance(answer, str):
        return (answer,)
    return tuple(one for part in answer for one in _strings(part))


def _says(text: str, answers: Sequence[str]) -> bool:
    found = normal(text)
    return any(normal(answer) in found for answer in answers)
