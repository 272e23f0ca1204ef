"""Whole lists and tables among the passages: what goes on over chunks is one, and shown whole where that is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.questions.listing import may_want_all, named_by, wants_all, wants_steps
from agent.questions.question import Question
from agent.relevance.passages import Passage
from agent.relevance.ranking import Scored
from agent.relevance.tables import goes_on
from agent.text.sentences import split
from agent.text.words import Term, form_set

PARTS = ("row", "item")
LEAST = 2
"""Rows or items of a list."""
_NUMBER = re.compile(r"(?:^|\n)[ \t]*\(?\d{1,2}[.)]\s+$")
_MARKER = re.compile(r"(?:^|\n)[ \t]*(?:[-*•–‣▪●]|\(?\d{1,2}[.)]|[a-z][.)]|\[[ xX]?\])\s+$")
MARKED = 0.75
List = list[Passage]


def asked_list(question: Question, ranked: Sequence[Scored], found: Sequence[Passage]) -> List:
    """The list that a question asks for as a whole, named by its words; or all steps, where one of them is the best
    passage of a question for how something is done. Empty where there is none, or something else answers better."""
    if wants_all(question.text):
        return _named(question, ranked, found)
    if wants_steps(question.text):
        return _steps(question, ranked, found)
    return []


def _named(question: Question, ranked: Sequence[Scored], found: Sequence[Passage]) -> List:
    """The parts that have the words of the question which do not name the list, of the best list that some name. No
    sentence ranks before it, unless it is a list of just what is asked for, and where the question may ask for
    something else, nothing is said before its parts."""
    wanted = named_by(question)
    places = {id(one.passage): place for place, one in enumerate(ranked)}
    sentence = min(
        (places[id(one.passage)] for one in ranked if one.passage.unit.kind == "sentence" and not _leads(one.passage)),
        default=len(ranked),
    )
    fitting: list[tuple[int, bool, List]] = []
    for each in filter(_enumerates, lists(found)):
        names = _names_of(each)
        special = [term for term in wanted if term.forms.isdisjoint(names)]
        having = [one for one in each if all(not term.forms.isdisjoint(one.forms) for term in special)]
        if having and _is_of(question, wanted, each):
            place = min(places.get(id(passage), len(ranked)) for passage in having)
            fitting.append((place, _is_of_all(wanted, each), having))
    place, sure, best = min(fitting, key=lambda one: (not one[1], one[0]), default=(0, False, []))
    return best if sure or place <= sentence else []


def _is_of_all(wanted: Sequence[Term], each: List) -> bool:
    """Whether a list says by all words, in the name of its first column or in what it stands right below, that its
    parts are what is asked for."""
    first = each[0]
    columns = [label for label in first.labels if any(map(str.isalpha, label))]
    names = form_set(columns[0] if columns else _name_of(each) if _is_led(each) else "")
    return all(not term.forms.isdisjoint(names) for term in wanted)


def _leads(passage: Passage) -> bool:
    """Whether a passage only says what follows it."""
    return passage.unit.kind == "heading" or passage.text.rstrip().endswith(":")


def _is_of(question: Question, wanted: Sequence[Term], each: List) -> bool:
    """Whether what a list stands under, or its columns, name some of what is asked for; where the question may ask for
    something else, it stands right below, and its name says nothing more."""
    name = form_set(_name_of(each))
    near = name | form_set(" ".join(each[0].labels))
    if all(term.forms.isdisjoint(near) for term in wanted):
        return False
    said = frozenset().union(*(term.forms for term in question.terms))
    return not may_want_all(question.text) or (_is_led(each) and name <= said)


def _name_of(each: List) -> str:
    """The line that leads to a list, else the nearest heading, else the title of its document."""
    return _lead_of(each) or each[0].heading or each[0].hit.title


def _is_led(each: List) -> bool:
    """Whether a list is a table, or stands below a heading or a line that leads to it, and no sentence between."""
    first = each[0]
    if first.unit.kind == "row":
        return bool(first.labels)
    marker = _MARKER.search(first.hit.text[: first.unit.start])
    before = first.hit.text[: marker.start() if marker else first.unit.start].rstrip()
    units = [unit for unit in split(first.hit.text) if unit.end <= len(before)]  # a heading is one above something
    if not units:
        return first.hit.start == 0
    return units[-1].kind == "heading" or before.endswith(":")


def _steps(question: Question, ranked: Sequence[Scored], found: Sequence[Passage]) -> List:
    """All of the numbered list whose part is the best passage but for headings, where all words of the question name
    it."""
    wanted = named_by(question)
    best = next((one.passage for one in ranked if not _leads(one.passage)), None)
    each = next((each for each in lists(found) if best in each), [])
    if not wanted or not each or not all(is_numbered(one.hit.text[: one.unit.start]) for one in each):
        return []
    name = form_set(_name_of(each))
    return each if all(not term.forms.isdisjoint(name) for term in wanted) else []


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


def is_numbered(before: str) -> bool:
    """Whether what stands before a part numbers it."""
    return _NUMBER.search(before) is not None


def _names_of(each: List) -> frozenset[str]:
    """The words that name a list: of its document, headings and columns, and of the line before it that ends with a
    colon."""
    first = each[0]
    own = first.context_forms | form_set(" ".join(first.labels)) | form_set(first.hit.source)
    return own | form_set(_lead_of(each))


def _lead_of(each: List) -> str:
    """The line before a list that ends with a colon."""
    first = each[0]
    lead = first.hit.text[: first.unit.start].rstrip(" \t\n-*•–0123456789.()|").rpartition("\n")[2]
    return lead if lead.endswith(":") else ""


def _start(passage: Passage) -> int:
    return passage.hit.start + passage.unit.start
