"""Questions as files have them: JSON lines, CSV, BEIR's two files, and conversations and pairs of answers as OpenAI's
fine-tuning has them. What is wrong is told with its line.

The fields are those of the API. Names that other tools have for them are taken, too: `query` and `text` for the
question, `relevant` and `document` for the documents, `answer`, `_id`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from contracts.core.validation import what_is_wrong
from contracts.improvement.question_sets import (
    MAX_GRADE,
    MOST_PREFERENCES,
    MOST_QUESTIONS,
    FileFormat,
    QuestionFile,
    QuestionItem,
)
from lab.errors import QuestionFileBroken, QuestionsMissing, TooManyQuestions
from lab.questions.items import Item, make_item
from lab.questions.preferences import preference_of

NAMES = {
    "query": "question",
    "text": "question",
    "relevant": "documents",
    "document": "documents",
    "answer": "answers",
    "_id": "id",
    "label": "labels",
}
_ANSWER_COLUMN = re.compile(r"answers?([_. ]?\d+)?")
_GRADE = re.compile(r"[0-9]{1,3}")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
METADATA = "metadata."
CSV_FIELDS = frozenset(QuestionItem.model_fields) - {"turns", "metadata", "preferences"}
BEIR_COLUMNS = 3
BEIR_HEADER = "query-id"
"""The first cell of a first line that is no judgement."""
TREC_COLUMNS = 4
Row = tuple[int, dict[str, Any]]
"""A line's number and its fields."""
MOST_CELL = 16 << 20
"""Characters of a CSV cell: what a body may hold. How long a question may be is told with its line."""


def read_questions(file: QuestionFile) -> list[Item]:
    """The questions in order; raises `QuestionFileBroken`, `QuestionsMissing` or `TooManyQuestions`."""
    items: list[Item] = []
    for line, fields in READERS[file.format](file):
        if len(items) == MOST_QUESTIONS:
            raise TooManyQuestions(len(items) + 1, MOST_QUESTIONS, file.name)
        items.append(_item(file.name, line, fields))
    if not items:
        raise QuestionsMissing(file.name)
    return items


def _item(name: str, line: int, fields: Mapping[str, Any]) -> Item:
    try:
        return make_item(QuestionItem.model_validate(_renamed(name, line, fields)), f"{name}, line {line}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"] if not str(part).startswith("function-"))
        why = what_is_wrong(first)
        if first["type"] == "extra_forbidden":
            where, why = "", f"there is no field '{where}'; what is your own goes into 'metadata'"
        raise QuestionFileBroken(name, line, f"{where}: {why}" if where else why) from None


def _renamed(name: str, line: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Under the API's names; one field twice is a mistake. A single answer or label is a list of one."""
    found: dict[str, Any] = {}
    for given, value in fields.items():
        field = NAMES.get(given, given)
        if field in found:
            raise QuestionFileBroken(name, line, f"give '{field}' once, not also as '{given}'")
        if value is None:
            continue
        found[field] = [value] if field in ("answers", "labels") and isinstance(value, str) else value
    if isinstance(found.get("id"), int) and not isinstance(found["id"], bool):
        found["id"] = str(found["id"])
    return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, from 1. Not `splitlines`, which also splits where JSON's texts may have a break."""
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        if line.strip():
            yield number, line


def _json_lines(file: QuestionFile) -> Iterator[Row]:
    for number, line in _lines(file.text):
        try:
            value = json.loads(line, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise QuestionFileBroken(file.name, number, f"this is not JSON ({why})") from None
        if not isinstance(value, dict):
            raise QuestionFileBroken(file.name, number, 'a line is an object like {"question": "…"}')
        yield number, value


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object; raises `ValueError` where a name is in it twice, of which all but the last would be lost."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"'{twice[:100]}' is in an object twice")
    return fields


def _csv(file: QuestionFile) -> Iterator[Row]:
    text = file.text.removeprefix("\ufeff")
    csv.field_size_limit(MOST_CELL)  # of the process, whatever else in it has set
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    columns: list[str] = []
    before = 0
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise QuestionFileBroken(file.name, max(rows.line_num, 1), f"this is not CSV ({error})") from None
        if row is None:
            return
        line, before = before + 1, rows.line_num
        if not any(cell.strip() for cell in row):
            continue
        if not columns:
            columns = _columns(file.name, line, [cell.strip() for cell in row])
            continue
        if len(row) != len(columns):
            why = f"it has {len(row)} columns, and the header {len(columns)}"
            raise QuestionFileBroken(file.name, line, why)
        yield line, _of_columns(file.name, line, zip(columns, row, strict=True))


def _columns(name: str, line: int, columns: list[str]) -> list[str]:
    """Of a header. What is wrong with it is told here, before any line is read under it."""
    fields = [column if _is_free(column) else NAMES.get(column, column) for column in columns]
    for at, (column, field) in enumerate(zip(columns, fields, strict=True)):
        if column and field in fields[:at]:
            raise QuestionFileBroken(name, line, f"give '{field}' once, not also as '{column[:100]}'")
        if column and not _is_free(column) and field not in CSV_FIELDS:
            why = f"there is no field '{column[:100]}'; a column of your own is '{METADATA}NAME'"
            raise QuestionFileBroken(name, line, why)
    if "question" not in fields:
        raise QuestionFileBroken(name, line, "this is the header, and no column of it is 'question'")
    return columns


def _is_free(column: str) -> bool:
    return bool(_ANSWER_COLUMN.fullmatch(column)) or column.startswith(METADATA)


def _of_columns(name: str, line: int, cells: Iterator[tuple[str, str]]) -> dict[str, Any]:
    """Empty cells say nothing. Documents and labels have `;` between, and a document's grade is after the last `=`."""
    fields: dict[str, Any] = {}
    for column, cell in cells:
        text = cell.strip()
        if not text:
            continue
        field = NAMES.get(column, column)
        if _ANSWER_COLUMN.fullmatch(column):
            fields.setdefault("answers", []).append(text)
        elif column.startswith(METADATA):
            fields.setdefault("metadata", {})[column.removeprefix(METADATA)] = text
        elif field == "documents":
            fields[field] = _grades(name, line, text)
        elif field == "labels":
            fields[field] = [label.strip() for label in text.split(";") if label.strip()]
        elif field == "answerable":
            if text.lower() not in _TRUTH:
                raise QuestionFileBroken(name, line, f"'{text[:50]}' in the column answerable is not true or false")
            fields[field] = _TRUTH[text.lower()]
        else:
            fields[column] = text
    return fields


def _grades(name: str, line: int, text: str) -> dict[str, int]:
    """A URL is a document as it stands: what is after its `=` is a part of it."""
    grades: dict[str, int] = {}
    for one in (part.strip() for part in text.split(";")):
        document, equals, grade = ("", "", "") if "://" in one else one.rpartition("=")
        if equals and not _GRADE.fullmatch(grade.strip()):
            why = f"the grade '{grade[:50]}' of '{document[:100]}' is no whole number from 0 to {MAX_GRADE}"
            raise QuestionFileBroken(name, line, why)
        if one:
            grades[document.strip() if equals else one] = int(grade) if equals else 1
    return grades


def _beir(file: QuestionFile) -> Iterator[Row]:
    """The queries that have a relevant document; their other fields are left out."""
    judged = _judgements(file.judgements or "")
    for number, query in _json_lines(file):
        name, text = query.get("_id"), query.get("text")
        if not isinstance(name, str) or not isinstance(text, str):
            raise QuestionFileBroken(file.name, number, 'a query is {"_id": "…", "text": "…"}')
        relevant = {document: grade for document, grade in judged.get(name, {}).items() if grade > 0}
        if relevant:
            yield number, {"id": name, "question": text, "documents": relevant}


def _conversations(file: QuestionFile) -> Iterator[Row]:
    """Of `{"messages": […]}` the last message is the answer, and those before it the conversation that it ends."""
    for number, line in _json_lines(file):
        messages = line.pop("messages", None)
        if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
            raise QuestionFileBroken(file.name, number, 'a line is {"messages": [{"role": "user", "content": "…"}, …]}')
        answer = messages[-1] if messages else {}
        if answer.get("role") != "assistant" or not isinstance(answer.get("content"), str) or len(messages) == 1:
            why = "the last message must be the assistant's, with its answer as a text, and one of the user before it"
            raise QuestionFileBroken(file.name, number, why)
        yield number, {**line, "turns": messages[:-1], "answers": [answer["content"]]}


def _judgements(text: str) -> dict[str, dict[str, int]]:
    """Grades by query and document: BEIR's three columns after a header, or TREC's four."""
    judged: dict[str, dict[str, int]] = {}
    is_first = True
    for number, line in _lines(text):
        cells = [cell.strip() for cell in (line.split("\t") if "\t" in line else line.split())]
        if len(cells) == TREC_COLUMNS:
            del cells[1]
        if len(cells) != BEIR_COLUMNS:
            raise QuestionFileBroken("judgements", number, "a line has query, document and grade with tabs between")
        is_header, is_first = is_first and cells[0] == BEIR_HEADER, False
        if re.fullmatch(r"-?[0-9]{1,9}", cells[2]) and int(cells[2]) <= MAX_GRADE:
            judged.setdefault(cells[0], {})[cells[1]] = int(cells[2])
        elif not is_header:
            why = f"the grade '{cells[2][:50]}' is no whole number up to {MAX_GRADE}"
            raise QuestionFileBroken("judgements", number, why)
    return judged


def _preferences(file: QuestionFile) -> Iterator[Row]:
    """All pairs of a conversation are one question's, where its first one stands: they are held out together."""
    rows: dict[str, Row] = {}
    for number, line in _json_lines(file):
        try:
            fields, pair = preference_of(line)
        except ValueError as error:
            raise QuestionFileBroken(file.name, number, str(error)) from None
        _, known = rows.setdefault(json.dumps(fields["turns"]), (number, {**fields, "preferences": []}))
        if pair not in known["preferences"]:
            known["preferences"].append(pair)
        if len(known["preferences"]) > MOST_PREFERENCES:
            why = f"this conversation has more than {MOST_PREFERENCES} pairs of answers; leave some out"
            raise QuestionFileBroken(file.name, number, why)
    yield from rows.values()


READERS: Mapping[FileFormat, Callable[[QuestionFile], Iterator[Row]]] = {
    "jsonl": _json_lines,
    "messages": _conversations,
    "preference": _preferences,
    "csv": _csv,
    "beir": _beir,
}
