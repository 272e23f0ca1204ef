"""Standard benchmarks as files of JSON lines, by the names that lm-evaluation-harness' data sets give their fields."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundwork.errors import GroundworkError
from groundwork.evaluation.questions import HALF, json_lines

MOST_TASKS = 100_000
MOST_CHOICES = 64
MOST_CHARS = 200_000
"""Of a context, a choice or an answer."""
MOST_STOPS = 4
LONGEST_ANSWER = 8192
"""Tokens."""
USUAL_TOKENS = 256
CONTEXT = ("query", "context", "question", "ctx", "prompt")
CHOICES = ("choices", "endings", "options")
GOLD = ("gold", "label", "answer", "answerKey", "target")
ANSWERS = ("answers", "answer", "target", "targets")
PLACES = "It is a place from 0, or a letter"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
EXAMPLE = '{"query": "…", "choices": ["…", "…"], "gold": 0} or {"query": "…", "answers": ["…"]}'


class TasksInvalid(GroundworkError):
    """A file of tasks can't be used; the text names the file, the line and what it should be."""


@dataclass(frozen=True, slots=True)
class Task:
    """One item: with `choices`, of which those in `gold` are right; else with `answers`, any of which is."""

    id: str
    context: str
    choices: Sequence[str] = ()
    gold: Sequence[int] = ()
    answers: Sequence[str] = ()
    until: Sequence[str] = ()
    max_tokens: int = USUAL_TOKENS


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A file's items, all of one kind, and what names its content."""

    name: str
    digest: str
    tasks: Sequence[Task]

    @property
    def is_choice(self) -> bool:
        """Whether they are multiple choice."""
        return bool(self.tasks[0].choices)


def read_tasks(path: Path, most: int | None = None) -> TaskFile:
    """The first `most` items of a file, or all; raises `TasksInvalid`, or `QuestionsInvalid` for what is no JSON."""
    tasks: list[Task] = []
    for number, (place, line) in enumerate(json_lines(path), start=1):
        if len(tasks) == most:
            break
        if number > MOST_TASKS:
            raise TasksInvalid(f"{path} has more than {MOST_TASKS:,} tasks. Split it, or ask the first with --limit.")
        tasks.append(_task(place, number, line))
        if bool(tasks[0].choices) != bool(tasks[-1].choices):
            raise _wrong(place, "multiple choice and answers in words are in one file; give each a file of its own")
    if not tasks:
        raise TasksInvalid(f"There are no tasks in {path}. A line looks like {EXAMPLE}.")
    with path.open("rb") as file:
        return TaskFile(path.stem, hashlib.file_digest(file, "sha256").hexdigest(), tasks)


def _task(place: str, number: int, line: Mapping[str, Any]) -> Task:
    name, context = str(line.get("id", line.get("doc_id", number))), _first(line, CONTEXT)
    if not isinstance(context, str) or not context.strip():
        raise _wrong(place, f"it has no context: one of {', '.join(CONTEXT)}, a text")
    choices = _first(line, CHOICES)
    if choices is None:
        answers = _texts(place, "answers", _first(line, ANSWERS))
        task = Task(name, context, answers=answers, until=_until(place, line), max_tokens=_tokens(place, line))
    else:
        texts, labels = _choices(place, choices)
        task = Task(name, context, texts, _gold(place, _first(line, GOLD), texts, labels))
    for text in (task.context, *task.choices, *task.answers, *task.until):
        if len(text) > MOST_CHARS:
            raise _wrong(place, f"a text in it is longer than {MOST_CHARS:,} characters")
        if HALF.search(text):
            raise _wrong(place, "a text in it has half a character, which is no text")
    return task


def _choices(place: str, given: Any) -> tuple[list[str], list[str]]:
    """Texts and what they are called: a list, or ARC's `{"text": […], "label": […]}`."""
    labels = list(LETTERS)
    if isinstance(given, Mapping):
        given, labels = given.get("text"), [str(each) for each in given.get("label") or labels]
    texts = _texts(place, "choices", given)
    if not 2 <= len(texts) <= MOST_CHOICES:
        raise _wrong(place, f"it has {len(texts)} choices; 2 to {MOST_CHOICES} can be compared")
    return texts, labels[: len(texts)]


def _gold(place: str, given: Any, texts: Sequence[str], labels: Sequence[str]) -> list[int]:
    """Places of the right choices, which are named by place (from 0), by letter or label, or by their text."""
    found = []
    for each in given if isinstance(given, list) else [given]:
        if isinstance(each, int) and 0 <= each < len(texts):
            found.append(int(each))
        elif isinstance(each, str) and each in labels:
            found.append(labels.index(each))
        elif isinstance(each, str) and each in texts:
            found.append(texts.index(each))
        elif isinstance(each, str) and each.isascii() and each.isdigit() and int(each) < len(texts):
            found.append(int(each))
        else:
            raise _wrong(
                place, f"'gold' names none of the choices: {str(each)[:60]!r}. It is a place from 0, or a letter"
            )
    if not found:
        raise _wrong(place, f"'gold' names no choice. {PLACES}")
    return found


def _texts(place: str, name: str, given: Any) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) and one.strip() for one in texts):
        raise _wrong(place, f"'{name}' is a list of texts that are not empty; a line looks like {EXAMPLE}")
    return texts


def _until(place: str, line: Mapping[str, Any]) -> list[str]:
    given = line.get("until") or []
    stops = [given] if isinstance(given, str) else given
    if not isinstance(stops, list) or len(stops) > MOST_STOPS or not all(isinstance(one, str) and one for one in stops):
        raise _wrong(place, f"'until' is up to {MOST_STOPS} texts that end an answer")
    return stops


def _tokens(place: str, line: Mapping[str, Any]) -> int:
    given = line.get("max_tokens", line.get("max_gen_toks", USUAL_TOKENS))
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= LONGEST_ANSWER:
        raise _wrong(place, f"'max_tokens' is a number from 1 to {LONGEST_ANSWER:,}")
    return given


def _first(line: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((line[name] for name in names if line.get(name) is not None), None)


def _wrong(place: str, why: str) -> TasksInvalid:
    return TasksInvalid(f"{place}: {why}.")
