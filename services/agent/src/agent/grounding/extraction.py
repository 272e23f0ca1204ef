"""The extractive answer: as few passages as answer, at most three, as they stand in the sources.

A passage's score is the logarithm of the odds that it is the one that answers (`relevance/ranking.py`), so the scores
of all say how likely it is that those shown hold the answer; where that is likely enough, nothing is added but what
they need to be understood: the sentence before, a "yes" or "no" before it, the heading of a row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from agent.grounding.agreement import differs
from agent.grounding.citations import Support
from agent.grounding.conflicts import contradicts
from agent.questions.question import Question
from agent.relevance.evidence import Evidence
from agent.relevance.passages import Passage, readable
from agent.relevance.ranking import Scored, coverage, term_weights
from agent.relevance.rows import is_named, naming_ranges
from agent.sanitisation.sanitiser import sanitise
from agent.text.codes import codes_of
from agent.text.denials import is_negated
from agent.text.furniture import are_contents, is_furniture, is_link, leads_elsewhere
from agent.text.ranges import within
from agent.text.words import form_set

MAX_PASSAGES = 3
MAX_LISTED = 30
"""Rows or items of a list that is asked for whole."""
EVENNESS = 1.5
"""The scores are divided by this: fitted on questions worded like the documents, they are too sure of others."""
OWN_EVENNESS = 0.75
"""The same by cosines of the sources' own model: with less, further sentences are mostly beside the point."""
ENOUGH = 0.8
"""Nothing is added to passages that hold the answer with this chance, given that one of all passages does."""
WORTH_SHOWING = 0.07
"""The least such chance of a further passage."""
CLOSE = 3.5
"""One with a name or number of the question that the others lack is added if its score is so near the best one's."""
SUBJECT = 0.25
"""A further passage is shown if it has this share of the question's subject, of what the first one has of it."""
MAX_CHARACTERS = 420
"""Further passages are shown only as long as all together are no longer than this."""
LEANS_BACK = re.compile(
    r"^(?:it|its|they|their|them|this|that|these|those|he|she|his|her|both|such|however|otherwise|in this case|then"
    r"|after that|also|if not|the latter|the former|below that|above that)\b",
    re.IGNORECASE,
)


_ADDS = re.compile(
    r"\b(?:extra|additional(?:ly)?|on top|bonus|exceptions?|exceptionally|except|unless|zusätzlich\w*|ausnahm\w*|außer"
    r"|en plus|supplémentaires?|sauf|adicional(?:es)?|excepto|salvo)\b",
    re.IGNORECASE,
)
_NAMES = ("question", "heading")
"""Kinds of what only names what stands below it."""
_VERDICT = re.compile(r"^(?:yes|no|ja|nein)\W*$", re.IGNORECASE)
_NUMBERING = re.compile(r"^(?:\d+(?:\.\d+)*|[A-Z])[.)]?\s+")


@dataclass(frozen=True, slots=True)
class Extract:
    """One sentence or row to show, and the span that it is."""

    text: str
    support: Support
    own_line: bool


def extract(evidence: Evidence) -> list[Extract]:
    """The passages to show, in reading order. Empty if there is none."""
    question, found = evidence.question, evidence.found
    shown: list[Passage] = []
    quoted = _quoted(evidence)
    for passage in quoted or _choose(evidence):
        before = _before(passage, found)
        room = len(shown) < MAX_PASSAGES or bool(quoted)
        if before is not None and before not in shown and room and _needs(passage, before, question):
            shown.append(before)
        if passage not in shown:
            shown.append(passage)
    shown += _of_other_codes(question, evidence.ranked, shown)
    order = {id(passage): place for place, passage in enumerate(found)}
    leading = _general(question, shown).hit if shown else None
    ordered = sorted(shown, key=lambda passage: (passage.hit is not leading, order.get(id(passage), 0)))
    above = [None, *ordered] if quoted else [None] * len(ordered)
    return [
        _extract_of(passage, question, _before(passage, found) in shown or _is_below(passage, other))
        for passage, other in zip(ordered, above, strict=False)
    ]


def _of_other_codes(question: Question, ranked: Sequence[Scored], shown: Sequence[Passage]) -> list[Passage]:
    """For each code of a question that names several, and that nothing shown names, the best passage that does: who
    asks what E12 and E44 mean wants both rows."""
    added: list[Passage] = []
    for code in question.codes if shown and len(question.codes) > 1 else ():
        if any(map(code.is_named_by, codes_of("\n".join(one.text for one in (*shown, *added))))):
            continue
        saying = (one.passage for one in ranked if one.passage.unit.kind not in _NAMES)
        added += [one for one in saying if any(map(code.is_named_by, codes_of(one.text)))][:1]
    return added[: max(0, MAX_PASSAGES - len(shown))]


def _is_below(passage: Passage, other: Passage | None) -> bool:
    """Whether what is shown before a passage stands under its heading, too."""
    return other is not None and (other.hit, other.heading) == (passage.hit, passage.heading)


def extract_list(question: Question, listed: Sequence[Passage]) -> list[Extract]:
    """All of a list, each part on a line of its own; the first parts of a very long one."""
    return [replace(_extract_of(passage, question, led=True), own_line=True) for passage in listed[:MAX_LISTED]]


def _general(question: Question, shown: Sequence[Passage]) -> Passage:
    """The passage to begin with: the first one, or, where that only adds to a rule or makes an exception to it, another
    one of its document that does not: "27 days" is said before "5 extra days"."""
    first = shown[0]
    if not _ADDS.search(first.text) or _ADDS.search(question.text):
        return first
    rules = (one for one in shown if _of_one_document(one, first) and not _ADDS.search(one.text))
    return next((one for one in rules if question.suits(one.text)), first)


def _of_one_document(one: Passage, other: Passage) -> bool:
    return (one.hit.collection, one.hit.document_id) == (other.hit.collection, other.hit.document_id)


def _quoted(evidence: Evidence) -> list[Passage]:
    """What a reading model quotes as the answer of up to three windows, whole, no words twice, and what contradicts it.
    For a heading stands what is below it, and with a mere "yes" what follows that."""
    quoted: list[Passage] = []
    for window in evidence.answering[:MAX_PASSAGES]:
        for one in (one for passage in window for one in _with_rest(passage, evidence)):
            if not any(_same_words(one, other) for other in quoted):
                quoted.append(one)
    return _with_conflict(evidence.question, evidence.ranked, quoted, room=len(quoted))


def _with_rest(passage: Passage, evidence: Evidence) -> list[Passage]:
    at = next((place for place, other in enumerate(evidence.found) if other is passage), len(evidence.found))
    after = next(iter(evidence.found[at + 1 : at + 2]), None)
    if _VERDICT.match(passage.text) and after is not None and _beside(passage, after):
        return [passage, after]
    return _answering(evidence.question, passage, evidence.found) if passage.unit.kind in _NAMES else [passage]


def _choose(evidence: Evidence) -> list[Passage]:
    question, ranked, found = evidence.question, evidence.ranked, evidence.found
    evenness = OWN_EVENNESS if evidence.own else EVENNESS
    beside = _beside_the_text(question, ranked, found)
    ranked = _without(beside, question, ranked)
    chosen: list[Passage] = []
    held = 0.0
    for one, chance in zip(ranked, _chances(ranked, evenness), strict=True):
        enough = held >= ENOUGH or chance < WORTH_SHOWING
        if len(chosen) >= MAX_PASSAGES or (chosen and enough and one.score < ranked[0].score - CLOSE):
            break
        if chosen and enough and not _completes(question, one.passage, chosen):
            continue
        held += chance
        for passage in _answering(question, one.passage, found):
            if (
                id(passage) in beside
                or _says_nothing(passage, question)
                or any(_same_words(passage, other) for other in chosen)
            ):
                continue
            size = sum(len(other.text) for other in (*chosen, passage))
            if not chosen or (size <= MAX_CHARACTERS and question.suits(passage.text)):
                chosen.append(passage)
    pointed = _to_the_point(question, ranked, chosen)[:MAX_PASSAGES]
    return _with_conflict(question, ranked, pointed)


def _completes(question: Question, passage: Passage, chosen: Sequence[Passage]) -> bool:
    """Whether a passage has a name or number of the question that none of the chosen ones has."""
    missing = [
        term
        for term in question.terms
        if term.distinctive and all(term.forms.isdisjoint(other.near_forms) for other in chosen)
    ]
    return any(not term.forms.isdisjoint(passage.forms) for term in missing)


def _chances(ranked: Sequence[Scored], evenness: float) -> list[float]:
    """For each passage the chance that it answers, given that one of them does."""
    odds = [math.exp((one.score - ranked[0].score) / evenness) for one in ranked]
    return [each / sum(odds) for each in odds]


def _to_the_point(question: Question, ranked: Sequence[Scored], chosen: list[Passage]) -> list[Passage]:
    """The first passage, and of the others those that are about what the question asks about, or contradict it."""
    if not chosen:
        return []
    first, weights = chosen[0], term_weights(question.focus, [one.passage for one in ranked])
    least = SUBJECT * coverage(question.focus, weights, first.near_forms)
    return [
        passage
        for passage in chosen
        if passage is first
        or contradicts(question, ranked, first, passage)
        or (
            coverage(question.focus, weights, passage.near_forms) >= least
            and _speaks_of(question, passage, first)
            and not _of_another(question, passage, first)
        )
    ]


def _speaks_of(question: Question, passage: Passage, first: Passage) -> bool:
    """Whether a passage has a word of the question's subject itself, or what is asked for, or goes on with the first
    one's paragraph: a page's footer below a heading stands under the heading's words, and has nothing to do with it."""
    if _beside(passage, first) or (question.wanted != "statement" and question.suits(passage.text)):
        return True
    return any(not term.forms.isdisjoint(passage.forms) for term in question.focus)


def _beside(passage: Passage, first: Passage) -> bool:
    return (passage.hit, passage.unit.block) == (first.hit, first.unit.block)


def _of_another(question: Question, passage: Passage, first: Passage) -> bool:
    """Whether a passage is about another thing of the same kind: a row beside the one that has the question's words, or
    its number in a narrower range, or is named by a range that has its number, while this one is named by a range
    without any further number; or what lacks the name that the question and the first passage have.
    """
    beside = _beside(passage, first)
    listed = passage.hit is first.hit and passage.unit.heading == first.unit.heading and is_named(passage)
    if (beside and first.unit.kind == "row") or (listed and first.unit.kind == "item" and is_named(first)):
        if any(within(term.value, first.ranges) and within(term.value, passage.ranges) for term in question.terms):
            return True
        named_by, other = naming_ranges(first), naming_ranges(passage)
        beyond = [term for term in question.terms if not within(term.value, named_by)]
        if other and len(beyond) < len(question.terms) and not any(within(term.value, other) for term in beyond):
            return True
        asked = [term for term in question.focus if not term.forms.isdisjoint(first.forms)]
        return any(term.forms.isdisjoint(passage.forms) for term in asked)
    named = [term for term in question.terms if term.distinctive and not term.forms.isdisjoint(first.near_forms)]
    return not beside and any(term.forms.isdisjoint(passage.near_forms) for term in named)


def _with_conflict(
    question: Question, ranked: Sequence[Scored], chosen: list[Passage], room: int = MAX_PASSAGES - 1
) -> list[Passage]:
    """The chosen ones; if none of them contradicts the first one, what does comes behind the first `room`."""
    if not chosen or any(contradicts(question, ranked, chosen[0], other) for other in chosen[1:]):
        return chosen
    against = (one.passage for one in ranked if contradicts(question, ranked, chosen[0], one.passage))
    other = next(against, None)
    return chosen if other is None else [*chosen[:room], other]


def _answering(question: Question, passage: Passage, found: Sequence[Passage]) -> list[Passage]:
    """The passage, and the next sentence if only that holds what is asked for; for a heading, what stands below it."""
    at = next((place for place, other in enumerate(found) if other is passage), len(found))
    if passage.unit.kind not in _NAMES:
        after = found[at + 1] if at + 1 < len(found) else None
        together = after is not None and after.hit is passage.hit and after.unit.block == passage.unit.block
        if after is not None and together and passage.unit.kind != "row":
            return [passage, after] if question.suits(after.text) and not question.suits(passage.text) else [passage]
        return [passage]
    below = [other for other in found[at + 1 : at + 3] if other.hit is passage.hit]
    return [other for other in below if other.unit.kind not in _NAMES][:2]


def _before(passage: Passage, found: Sequence[Passage]) -> Passage | None:
    at = next((place for place, other in enumerate(found) if other is passage), 0)
    if at == 0:
        return None
    other = found[at - 1]
    together = other.hit is passage.hit and other.unit.block == passage.unit.block
    return other if together and other.unit.kind in ("sentence", "item") else None


def _needs(passage: Passage, before: Passage, question: Question) -> bool:
    """Whether a passage is not understood without the one before it."""
    if _VERDICT.match(before.text):
        return question.wanted == "rule"
    return LEANS_BACK.match(passage.text) is not None


def _says_nothing(passage: Passage, question: Question) -> bool:
    """Whether it only repeats the question or the title, as a page header does; "no training" denies it."""
    if passage.unit.kind == "item" and is_negated(passage.text) and not is_negated(question.text):
        return False
    return passage.forms <= question.forms | form_set(passage.hit.title) | form_set("page")


def _beside_the_text(question: Question, ranked: Sequence[Scored], found: Sequence[Passage]) -> set[int]:
    """The ids of lines of the contents and references, which only who wants to be led there asks for; none where there
    is nothing else. The line that answers best may be a link."""
    if question.wanted == "contact":
        return set()
    lines = {id(one) for one in found if is_furniture(one.text)} - {id(one) for one in _best_if_link(ranked)}
    if question.wanted != "money":
        entries = ((one, other) for one, other in pairwise(found) if one.hit is other.hit)
        lines |= {id(line) for pair in entries if are_contents(pair[0].text, pair[1].text) for line in pair}
    return lines if any(id(one.passage) not in lines for one in ranked) else set()


def _without(beside: set[int], question: Question, ranked: Sequence[Scored]) -> list[Scored]:
    """The passages without lines beside the text. Where the best is a reference or a link, what its chunk says best of
    the question's subject takes its place."""
    left = [one for one in ranked if id(one.passage) not in beside]
    if not left or left[0] is ranked[0] or not leads_elsewhere(ranked[0].passage.text):
        return left
    near = (one for one in left if one.passage.hit is ranked[0].passage.hit and _says_of(question, one.passage))
    instead = next(near, None)
    if instead is None:
        return left
    return [replace(instead, score=ranked[0].score), *(one for one in left if one is not instead)]


def _says_of(question: Question, passage: Passage) -> bool:
    """Whether a line of text has a word of the question's subject itself."""
    text = passage.unit.kind not in _NAMES
    return text and any(not term.forms.isdisjoint(passage.forms) for term in question.focus)


def _best_if_link(ranked: Sequence[Scored]) -> list[Passage]:
    return [one.passage for one in ranked[:1] if is_link(one.passage.text)]


def _same_words(one: Passage, other: Passage) -> bool:
    union = one.forms | other.forms
    return bool(union) and len(one.forms & other.forms) / len(union) > 0.85 and not differs(one.text, other.text)


def _extract_of(passage: Passage, question: Question, led: bool) -> Extract:
    """As it is shown, with its heading where it needs that; `led` says whether the sentence before it is shown."""
    text = readable(passage)
    if not led and _needs_heading(passage, question):
        text = f"{_NUMBERING.sub('', passage.heading)} – {text}"
    lines = passage.unit.kind in ("row", "item")
    return Extract(sanitise(text), Support(passage.hit, passage.span, 1.0), lines)


def _needs_heading(passage: Passage, question: Question) -> bool:
    """Whether only its heading says what a passage is about: "it", or a row or item without the question's subject."""
    said = passage.forms | form_set(" ".join(passage.labels))
    heading = form_set(passage.heading)
    if not heading or heading <= said:
        return False
    if passage.unit.kind == "sentence":
        return LEANS_BACK.match(passage.text) is not None
    return any(not term.forms.isdisjoint(heading) and term.forms.isdisjoint(said) for term in question.focus)
