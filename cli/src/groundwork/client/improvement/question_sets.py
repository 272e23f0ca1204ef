"""Question sets and their versions: `client.question_sets` (scopes `evaluations:read`, `evaluations:write`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from contracts.improvement.question_sets import FileFormat, QuestionFile, QuestionRecord, QuestionSet
from contracts.operations import question_sets as operations
from groundwork.client.connection import Connection
from groundwork.errors import QuestionsInvalid

SAVE_SECONDS = 300.0
_MESSAGES = re.compile(r'\s*\{\s*"messages"\s*:')
_PREFERENCE = re.compile(r'\s*\{\s*"(input|prompt)"\s*:')
JUDGEMENTS = ("qrels.tsv", "qrels/test.tsv")
"""Where a folder in the layout of BEIR has its grades."""


class QuestionSets:
    """Save, show and delete question sets of the key's own tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def save(
        self,
        name: str,
        questions: Iterable[Mapping[str, Any]] | QuestionFile = (),
        *,
        description: str | None = None,
        append: bool = False,
        remove: Iterable[str] = (),
        skip_duplicates: bool = False,
    ) -> QuestionSet:
        """The version with these questions, which is made unless there is one; with `append` they are added to the
        newest one's, without those whose ids are in `remove`. `skip_duplicates` leaves out what asks the same, where it
        would be refused otherwise."""
        body: dict[str, Any] = {"name": name, "append": append, "duplicates": "skip" if skip_duplicates else "refuse"}
        if isinstance(questions, QuestionFile):
            body["file"] = questions.model_dump(exclude_none=True)
        elif items := [dict(one) for one in questions]:
            body["items"] = items
        if gone := list(remove):
            body["remove"] = gone
        if description is not None:
            body["description"] = description
        return self._connection.model(operations.CREATE_QUESTION_SET, json=body, timeout=SAVE_SECONDS)

    def get(self, name: str, version: int | None = None) -> QuestionSet:
        """A version, by default the newest."""
        if version is None:
            return self._connection.model(operations.GET_QUESTION_SET, name)
        return self._connection.model(operations.GET_QUESTION_SET_VERSION, name, str(version))

    def list(self) -> Iterator[QuestionSet]:
        """The newest version of each, by name."""
        return self._connection.pages(operations.LIST_QUESTION_SETS)

    def versions(self, name: str) -> Iterator[QuestionSet]:
        """All versions of a set, newest first."""
        return self._connection.pages(operations.LIST_QUESTION_SET_VERSIONS, name)

    def questions(self, name: str, version: int | None = None, *, split: str | None = None) -> Iterator[QuestionRecord]:
        """The questions of a version, in the order in which they came."""
        number = self.get(name).version if version is None else version
        return self._connection.pages(operations.LIST_QUESTIONS, name, str(number), params={"split": split})

    def delete(self, name: str, version: int | None = None) -> None:
        """A version, or the set with all of them."""
        if version is None:
            self._connection.call(operations.DELETE_QUESTION_SET, name)
        else:
            self._connection.call(operations.DELETE_QUESTION_SET_VERSION, name, str(version))


def read_question_file(path: Path) -> QuestionFile:
    """A file of CSV (by its ending), of JSON lines, of OpenAI's `{"messages": […]}` or of pairs of answers (by its
    first line), or a folder in the layout of BEIR. What is in it is the server's to check.

    Raises `QuestionsInvalid`."""
    if path.is_dir():
        judgements = next((path / name for name in JUDGEMENTS if (path / name).is_file()), None)
        if judgements is None:
            raise QuestionsInvalid(
                f"There is no qrels.tsv (or qrels/test.tsv) in {path}. A folder of questions has it beside its queries."
            )
        return question_file("beir", "queries.jsonl", _text(path / "queries.jsonl"), _text(judgements))
    text = _text(path)
    if path.suffix.lower() in (".csv", ".tsv"):
        return question_file("csv", path.name, text)
    return question_lines(path.name, text)


def question_lines(name: str, text: str) -> QuestionFile:
    """JSON lines of one of the three sorts, by the first one; raises `QuestionsInvalid`."""
    form: FileFormat = "messages" if _MESSAGES.match(text) else "preference" if _PREFERENCE.match(text) else "jsonl"
    return question_file(form, name, text)


def question_file(form: FileFormat, name: str, text: str, judgements: str | None = None) -> QuestionFile:
    """Questions as a file has them; raises `QuestionsInvalid` for one that is too large."""
    try:
        return QuestionFile(format=form, name=name[:200], text=text, judgements=judgements)
    except ValueError:
        raise QuestionsInvalid(f"{name} has {len(text):,} characters, which is more than a file may have.") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise QuestionsInvalid(f"{path} can't be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise QuestionsInvalid(f"{path} is not UTF-8 text.") from None
