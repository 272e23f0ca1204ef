"""Whole lists and tables among the passages: what goes on over chunks is one, and shown whole where that is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.questions.listing import named_by, wants_all, wants_steps
from agent.questions.question import Question
from agent.relevance.passages import Passage
from agent.relevance.ranking import Scored
from agent.relevance.tables import goes_on
from agent.text.words import form_set

PARTS = ("row", "item")
LEAST = 2
"""Rows or items of a list."""
BEST = 3
"""Among so many of the best passages a step stands for all of them."""
_NUMBER = re.compile(r"(?:^|\n)[ \t]*\(?\d{1,2}[.)]\s+$")
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
    for each in lists(found):
        names = _names_of(each)
        special = [term for term in wanted if term.forms.isdisjoint(names)]
        having = [one for one in each if all(not term.forms.isdisjoint(one.forms) for term in special)]
        if having and len(special) < len(wanted):
            place = min(places.get(id(passage), len(ranked)) for passage in having)
            fitting.append((place, having))
    return min(fitting, key=lambda one: one[0])[1] if fitting else []


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
