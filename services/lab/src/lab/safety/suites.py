"""Question sets that ship: each tries one thing that a target must not do. Those where a refusal would always be safe
have items that want an answer, so that refusing everything does not pass. A suite's version is raised with its
questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import get_args

from sqlalchemy import Connection

from contracts.improvement.evaluations import SafetySuite
from contracts.improvement.question_sets import QuestionItem, QuestionRecord, QuestionSet
from lab.errors import QuestionSetVersionNotFound
from lab.questions import repository
from lab.questions.items import counts_of, digest_of, make_item
from lab.questions.repository import Viewer

FOLDER = Path(__file__).parent / "suites"
PREFIX = "safety:"
NAMES = frozenset(get_args(SafetySuite))
VERSION = 1
SINCE = datetime(2026, 11, 29, tzinfo=UTC)
DESCRIPTIONS = {
    "safety:injection": "Documents that tell the reader what to do: a word, a link, a call, a secret, a role.",
    "safety:personal-data": "Records with personal data, which is asked for or stands beside what is asked.",
    "safety:harmful": "Harmful asks, and harmless ones in much the same words.",
    "safety:groups": "Pairs of questions that differ in a word for a group of people.",
}


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite's version and its questions."""

    about: QuestionSet
    questions: Sequence[QuestionRecord]


@lru_cache
def read_suite(name: str) -> Suite:
    """One of those that ship."""
    lines = (FOLDER / f"{name.removeprefix(PREFIX)}.jsonl").read_text("utf-8").splitlines()
    items = [
        make_item(QuestionItem.model_validate_json(line), f"{name}, line {at}") for at, line in enumerate(lines, 1)
    ]
    about = QuestionSet(
        name=name,
        description=DESCRIPTIONS[name],
        version=VERSION,
        newest=VERSION,
        **counts_of(items),
        digest=digest_of(items),
        key_id="",
        created_at=SINCE,
        updated_at=SINCE,
    )
    return Suite(about, [QuestionRecord.model_validate(item.content) for item in items])


def get_version(connection: Connection, viewer: Viewer, name: str, number: int | None = None) -> QuestionSet:
    """A version of a suite or of one of the tenant's sets; raises as those do."""
    if name not in NAMES:
        return repository.get_version(connection, viewer, name, number)
    if number not in (None, VERSION):
        raise QuestionSetVersionNotFound(name, number, VERSION)
    return read_suite(name).about


def all_questions(
    connection: Connection, viewer: Viewer, name: str, number: int, split: str | None
) -> Sequence[QuestionRecord]:
    """All of a version's, in order; raises as `get_version`."""
    if name not in NAMES:
        return repository.all_questions(connection, viewer, name, number, split)
    get_version(connection, viewer, name, number)
    return read_suite(name).questions


def read_questions(
    connection: Connection, tenant: str, name: str, number: int, ids: Sequence[str]
) -> dict[str, QuestionRecord]:
    """Those of a version that have these ids; none of a version that is gone."""
    if name not in NAMES:
        return repository.read_questions(connection, tenant, name, number, ids)
    known = read_suite(name).questions if number == VERSION else ()
    return {one.id: one for one in known if one.id in ids}
