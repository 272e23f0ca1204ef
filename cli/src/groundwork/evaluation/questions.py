"""Questions whose relevant documents are known: a file of JSON lines, or a folder in the layout of BEIR."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.improvement.question_sets import QuestionRecord
from groundwork.errors import QuestionsInvalid

MAX_CHARS = 32_768
"""What a search takes."""
_TEXT = ("query", "question", "text")
_ID = ("id", "_id")
_RELEVANT = ("relevant", "documents", "document")
HALF = re.compile("[\ud800-\udfff]")
_EXAMPLE = '{"query": "…", "relevant": {"document-id": 1}}'


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the grades of the documents that answer it; none where the documents don't hold the answer."""

    id: str
    text: str
    relevant: Mapping[str, int]
    place: str
    """Where it was read, for messages."""


def read_questions(path: Path) -> list[Question]:
    """The questions in order; raises `QuestionsInvalid`.

    A line is `{"query" or "question": text, "relevant": {id: grade} or [id, …] or id}`; `"document"` and `"documents"`
    stand for `"relevant"`, `"id"` is the line's number if there is none. `"answerable": false` or a null says that no
    document answers. In a folder, `queries.jsonl` has the questions and `qrels.tsv` (or `qrels/test.tsv`) the grades;
    questions without a grade are left out.
    """
    questions = _of_folder(path) if path.is_dir() else [_of_line(*line) for line in json_lines(path)]
    if not questions:
        raise QuestionsInvalid(f"There are no questions in {path}. A line looks like {_EXAMPLE}.")
    places: dict[str, str] = {}
    for question in questions:
        if question.id in places:
            raise _wrong(question.place, f"the id '{question.id}' is that of {places[question.id]}, too")
        places[question.id] = question.place
    return questions


def set_questions(name: str, records: Iterable[QuestionRecord]) -> list[Question]:
    """A question set's questions; of a conversation the last one. What is not answerable has no relevant document."""
    found = []
    for number, one in enumerate(records, start=1):
        text = one.question if one.question is not None else one.turns[-1].content if one.turns else ""
        relevant = {} if one.answerable is False else one.documents
        found.append(Question(one.id, text, relevant, f"{name}, question {number}"))
    if not found:
        raise QuestionsInvalid(f"There are no questions in {name}.")
    return found


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a file with where each stands; blank lines are passed over. Raises `QuestionsInvalid`."""
    for place, text in _lines(path):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            why = "nested too deeply" if isinstance(error, RecursionError) else error
            raise _wrong(place, f"this is not JSON ({why}); a line looks like {_EXAMPLE}") from None
        if not isinstance(value, dict):
            raise _wrong(place, f"a line is an object like {_EXAMPLE}")
        yield place, value


def read_judgements(path: Path) -> dict[str, dict[str, int]]:
    """Grades by question and document: lines of query-id, corpus-id, score with tabs between, after a header line; or
    the four columns of TREC. Raises `QuestionsInvalid`.
    """
    judgements: dict[str, dict[str, int]] = {}
    for number, (place, line) in enumerate(_lines(path)):
        cells = [cell.strip() for cell in (line.split("\t") if "\t" in line else line.split())]
        if len(cells) == 4:
            del cells[1]
        if len(cells) != 3:
            raise _wrong(place, "a line has a query-id, a corpus-id and a score with tabs between")
        try:
            grade = int(cells[2])
        except ValueError:
            if number == 0:
                continue  # the header
            raise _wrong(place, f"the score '{cells[2]}' is not a whole number") from None
        judgements.setdefault(cells[0], {})[cells[1]] = grade
    return judgements


def judgements_file(folder: Path) -> Path:
    """Where a folder keeps its grades; raises `QuestionsInvalid`."""
    for name in ("qrels.tsv", "qrels/test.tsv"):
        if (folder / name).is_file():
            return folder / name
    raise QuestionsInvalid(
        f"There is no qrels.tsv (or qrels/test.tsv) in {folder}. A folder of questions has it beside queries.jsonl."
    )


def _of_folder(folder: Path) -> list[Question]:
    judgements = read_judgements(judgements_file(folder))
    questions = []
    for place, line in json_lines(folder / "queries.jsonl"):
        text, name = _text(place, line), _name(place, line, "")
        if relevant := {each: grade for each, grade in judgements.get(name, {}).items() if grade > 0}:
            questions.append(Question(name, text, relevant, place))
    return questions


def _of_line(place: str, line: dict[str, Any]) -> Question:
    text = _text(place, line)
    name = _name(place, line, place.rpartition(" ")[2])
    given = [key for key in _RELEVANT if key in line]
    if len(given) > 1:
        raise _wrong(place, f"give one of '{given[0]}' and '{given[1]}'")
    if not given and line.get("answerable") is not False:
        raise _wrong(place, 'it names no relevant document; give "relevant", or "answerable": false if there is none')
    relevant = _relevant(place, given[0], line[given[0]]) if given else {}
    return Question(name, text, {} if line.get("answerable") is False else relevant, place)


def _text(place: str, line: dict[str, Any]) -> str:
    text = next((line[key] for key in _TEXT if key in line), None)
    if not isinstance(text, str) or not text.strip():
        raise _wrong(place, 'it has no "query" (or "question") with text')
    if HALF.search(text):
        raise _wrong(place, "the query has half a character, which is no text")
    if len(text) > MAX_CHARS:
        raise _wrong(place, f"the query has {len(text)} characters; a search takes up to {MAX_CHARS}")
    return text


def _name(place: str, line: dict[str, Any], default: str) -> str:
    name = next((line[key] for key in _ID if key in line), default)
    if not isinstance(name, str | int) or isinstance(name, bool) or name == "":
        raise _wrong(place, 'its "id" is not text or a whole number' if name != "" else 'it has no "_id"')
    return str(name)


def _relevant(place: str, key: str, value: Any) -> dict[str, int]:
    if value is None:
        return {}
    grades = value if isinstance(value, dict) else dict.fromkeys(value if isinstance(value, list) else [value], 1)
    for document, grade in grades.items():
        if not isinstance(document, str) or not document:
            raise _wrong(place, f"'{key}' names a document by its id, which is text, not {document!r}")
        if not isinstance(grade, int) or isinstance(grade, bool):
            raise _wrong(
                place, f"the grade of '{document}' is a whole number (1 relevant, more is better), not {grade!r}"
            )
    return {document: grade for document, grade in grades.items() if grade > 0}


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield f"{path.name}, line {number}", line
    except OSError as error:
        raise QuestionsInvalid(f"{path} can't be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise QuestionsInvalid(f"{path} is not UTF-8 text.") from None


def _wrong(place: str, why: str) -> QuestionsInvalid:
    return QuestionsInvalid(f"{place}: {why}.")
