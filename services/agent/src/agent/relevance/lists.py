"""Whole lists and tables among the passages: what goes on over chunks is one, and shown whole where that is asked."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from decimal import Decimal

from agent.questions.listing import Extreme, extreme_of, named_by, wants_all, wants_steps
from agent.questions.question import Question
from agent.relevance.passages import Passage
from agent.relevance.ranking import Scored
from agent.relevance.tables import goes_on
from agent.text.sentences import cells
from agent.text.words import Term, form_set, stem

PARTS = ("row", "item")
LEAST = 2
"""Rows or items of a list."""
BEST = 3
"""Among so many of the best passages a step stands for all of them."""
_NUMBER = re.compile(r"(?:^|\n)[ \t]*\(?\d{1,2}[.)]\s+$")
_FIGURE = re.compile(r"\d{1,12}(?:\.\d{1,6})?")
_MARKER = re.compile(r"(?:^|\n)[ \t]*(?:[-*•–‣▪●]|\(?\d{1,2}[.)]|[a-z][.)]|\[[ xX]?\])\s+$")
MARKED = 0.75
MOST_ALIKE = 3
"""Rows that may share the most."""
List = list[Passage]


def asked_list(question: Question, ranked: Sequence[Scored], found: Sequence[Passage]) -> List:
    """The list that a question asks for as a whole, named by all of its words; or all steps, where one of them is
    among the best passages of a question for how something is done. Empty where there is none."""
    if wants_all(question.text):
        return _named(question, ranked, found)
    if wants_steps(question.text):
        return _steps(ranked, found)
    return []


def _named(question: Question, ranked: Sequence[Scored], found: Sequence[Passage]) -> List:
    """The parts that have the words of the question which do not name the list, of the best list that some name."""
    wanted = named_by(question)
    places = {id(one.passage): place for place, one in enumerate(ranked)}
    fitting: list[tuple[int, List]] = []
    for each in filter(_enumerates, lists(found)):
        names = _names_of(each)
        special = [term for term in wanted if term.forms.isdisjoint(names)]
        having = [one for one in each if all(not term.forms.isdisjoint(one.forms) for term in special)]
        if having and len(special) < len(wanted):
            place = min(places.get(id(passage), len(ranked)) for passage in having)
            fitting.append((place, having))
    return min(fitting, key=lambda one: one[0])[1] if fitting else []


def extreme_rows(question: Question, found: Sequence[Passage], whole: Collection[str]) -> List:
    """The rows that have most or least of what a question asks for, of the one table that has a column of it and is
    named by the question's other words; of documents that are wholly seen, given by their ids."""
    extreme = extreme_of(question.text)
    if extreme is None:
        return []
    said = form_set(extreme.word)
    asked = [term for term in named_by(question) if term.forms.isdisjoint(said)]
    fitting = [
        rows
        for each in lists(found)
        if each[0].unit.kind == "row" and each[0].hit.document_id in whole
        for rows in [_most_of(extreme, asked, question.terms, each)]
        if rows
    ]
    return fitting[0] if len(fitting) == 1 else []


def _most_of(extreme: Extreme, asked: Sequence[Term], said: Sequence[Term], table: List) -> List:
    labels, names = table[0].labels, _names_of(table[:1])
    if any(len(cells(row.text)) != len(labels) for row in table):
        return []
    held = [at for at, label in enumerate(labels) if _holds(extreme, said, label)]
    kept = table
    for term in asked:
        whole = frozenset((stem(term.text.lower()), stem(term.text.lower().replace("-", ""))))
        own = [row for row in kept if not whole.isdisjoint(row.forms)]
        if own:
            kept = own
        elif term.forms.isdisjoint(names):
            return []
    columns = [[_amount(cells(row.text)[at]) for row in kept] for at in held]
    figures = [one for one in columns if None not in one]
    if len(kept) < LEAST or len(figures) != 1:
        return []
    amounts = list(zip(figures[0], kept, strict=True))
    values = [value for value, _ in amounts if value is not None]
    best = max(values) if extreme.most else min(values)
    rows = [row for value, row in amounts if value == best]
    return rows if len(rows) <= MOST_ALIKE else []


def _holds(extreme: Extreme, said: Sequence[Term], label: str) -> bool:
    """Whether a column holds what is compared: one of its kind, else one that the question's words name."""
    if extreme.column is not None:
        return extreme.column.search(label) is not None
    named = [term for term in said if not term.forms.isdisjoint(form_set(label))]
    return bool(named) and form_set(label) <= frozenset().union(*(term.forms for term in named))


def _amount(cell: str) -> Decimal | None:
    figures = _FIGURE.findall(cell.replace(",", ""))
    return Decimal(figures[0]) if len(figures) == 1 else None


def _steps(ranked: Sequence[Scored], found: Sequence[Passage]) -> List:
    for one in ranked[:BEST]:
        if one.passage.unit.kind == "item" and _is_numbered(one.passage):
            return next((each for each in lists(found) if one.passage in each), [])
    return []


def lists(found: Sequence[Passage]) -> list[List]:
    """The lists and tables of at least two parts, each in the order of its document."""
    ordered = sorted(found, key=lambda one: (one.hit.collection, one.hit.document_id, one.hit.revision, _start(one)))
    made: list[List] = []
    before: Passage | None = None
    for passage in ordered:
        if passage.unit.kind in PARTS:
            if before is not None and made and made[-1][-1] is before and _goes_on(before, passage):
                made[-1].append(passage)
            else:
                made.append([passage])
        before = passage
    return [each for each in made if len(each) >= LEAST]


def _goes_on(before: Passage, passage: Passage) -> bool:
    if before.unit.kind != passage.unit.kind:
        return False
    if before.hit is passage.hit:
        beside = passage.unit.kind == "item" and not _apart(before, passage)
        return beside or before.unit.block == passage.unit.block
    ends = before.hit.text[before.unit.end :].strip() == ""
    begins = _is_marker(passage.hit.text[: passage.unit.start])
    return ends and begins and goes_on(before.hit, passage.hit)


def _apart(before: Passage, passage: Passage) -> bool:
    """Whether a blank line, or more than a marker, stands between two items of one chunk."""
    between = before.hit.text[before.unit.end : passage.unit.start]
    return "\n\n" in between or len(between.strip()) > len("(10)")


def _is_marker(text: str) -> bool:
    return len(text.strip()) <= len("(10)")


def _enumerates(each: List) -> bool:
    """Whether most parts of a list begin one: what has several sentences a part is running text."""
    if each[0].unit.kind == "row":
        return True
    return sum(_MARKER.search(one.hit.text[: one.unit.start]) is not None for one in each) >= MARKED * len(each)


def _is_numbered(passage: Passage) -> bool:
    return _NUMBER.search(passage.hit.text[: passage.unit.start]) is not None


def _names_of(each: List) -> frozenset[str]:
    """The words that name a list: of its document, headings and columns, and of the line before it that ends with a
    colon."""
    first = each[0]
    lead = first.hit.text[: first.unit.start].rstrip(" \t\n-*•–0123456789.()|").rpartition("\n")[2]
    names = first.context_forms | form_set(" ".join(first.labels)) | form_set(first.hit.source)
    return names | form_set(lead) if lead.endswith(":") else names


def _start(passage: Passage) -> int:
    return passage.hit.start + passage.unit.start
