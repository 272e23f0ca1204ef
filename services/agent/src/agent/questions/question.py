"""What a question asks for: its content words, and the kind of thing that would answer it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from agent.questions.inflection import with_inflections
from agent.questions.language import language_of, small_words
from agent.text.codes import Code, asked_codes
from agent.text.words import Term, form_set, is_generic, terms

Wanted = Literal["money", "quantity", "time", "person", "place", "contact", "rule", "statement"]

_MONEY = re.compile(
    r"\b(price[sd]?|cost[s]?|fee[s]?|how expensive|how cheap|salary|wage|deposit|surcharge|pay for|budget|"
    r"how much (?:money|is|are|does|do|must|would|will|can|may)\b)",
    re.IGNORECASE,
)
_OPENS = (
    r"(?:^|[,;:.?!–-]\s*"
    r"|\b(?:and|or|but|so|know|knows|tell|me|say|says|ask|by|since|until|till|from|to|with|for|of|on)\s+)"
)
"""What stands before a word that asks. In "the alarm rings when", "cases where", "anyone who" it only joins clauses."""
_VERB = r"(?=\s+(?:is|are|was|were|do|does|did|can|could|may|must|should|shall|will|would|has|have|had|to)\b|\W*$)"
"""Or behind it."""


def _interrogative(word: str) -> str:
    return rf"{_OPENS}{word}\b|\b{word}{_VERB}"


_TIME = re.compile(
    rf"{_interrogative('when')}|\b(what time|which (?:day|date|year|month)|what (?:day|date|year|month)|how soon|"
    r"deadline|opening hours)\b",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"\b(how (?:many|much|long|far|often|high|tall|old|large|big|deep|fast|heavy|wide|quick|quickly|late|early|warm|"
    r"cold|hot|accurate|precise)|what (?:percentage|percent|number|share|temperature|range|distance|speed|weight|mass|"
    r"size|interval|accuracy|limit|rate|voltage|frequency|duration|period|age|maximum|minimum)|maximum|minimum|at most|"
    r"at least|percentage|number of|what(?: i|['’]?)s the (?:limit|range|mass|weight|accuracy|period|ratio|rate)|"
    r"what(?: i|['’]?)s the (?:heavi|larg|bigg|long|short|high|low|fast|deep|small|old|tall|wid|lat|earli)est)\b",
    re.IGNORECASE,
)
_PERSON = re.compile(
    rf"{_interrogative('who(?:m|se)?')}|\bwhich (?:person|team|department|manager|company|role)\b", re.IGNORECASE
)
_PLACE = re.compile(
    rf"{_interrogative('where')}|\b(which (?:city|country|room|town|building|place)|what (?:city|country|room))\b",
    re.IGNORECASE,
)
_BEFORE_CONTACT = r"\b(?:what|which|whose|where|give|find|have|need|know|an?|the|your|their)\b"
_CONTACT = re.compile(
    rf"{_BEFORE_CONTACT}(?:(?!{_BEFORE_CONTACT})[^,;.?!]){{0,60}}\b"  # from the last such word: each is read once
    r"(?:e-?mail|address|(?:tele)?phone (?:numbers?|no)|(?:tele)?phone(?= (?:of|for)\b)|(?<=['’]s )(?:tele)?phone"
    r"|telephone|extension|url|website|link)\b(?! (?:accounts?|apps?|clients?))",
    re.IGNORECASE,
)
"""By "how do I find my phone" nobody asks for a number."""
_RULE = re.compile(
    r"(?:^|[,;.:!?]\s+)(?:and |but |so |or )?(?:am|is|are|do|does|can|could|may|must|should|shall|will|would|have|has) "
    r"(?:i|we|you|one|it|they|there|this|that|my|our|your|the|an?|someone|anyone|everyone|people|employees)\b",
    re.IGNORECASE,
)
"""A question for yes or no: mostly whether something may, must or can be."""

_HAS_MONEY = re.compile(r"(?:[$€£¥]|\b(?:EUR|USD|GBP|CHF|euros?|dollars?|pounds?|cents?|percent)\b|%)", re.IGNORECASE)
_HAS_TIME = re.compile(
    r"\b(?:\d{1,2}[:.]\d{2}|(?:1[0-9]|20)\d{2}|january|february|march|april|may|june|july|august|september|october|"
    r"november|december|monday|tuesday|wednesday|thursday|friday|saturday|sunday|"
    r"\d+(?:st|nd|rd|th)|(?:hours?|days?|weeks?|months?|years?|minutes?|noon|midnight|quarter|century|daily|weekly"
    r"|monthly|yearly|annually|before|after|within|until|immediately))\b",
    re.IGNORECASE,
)
_HAS_QUANTITY = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|thousand|"
    r"million|once|twice|half|every|daily|weekly|monthly|yearly|none|no limit|unlimited|one)\b",
    re.IGNORECASE,
)
_HAS_PERSON = re.compile(
    r"\b[A-Z][a-zà-ÿ'’-]+\s+(?:van |de |der |den |von |la )*[A-Z][\w'’-]+|\b(?:manager|team|head|officer|department|"
    r"director|employees?|staff|lead|chief|board|committee|reception|supervisor|supplier|customer|user|owner|engineer|they|he|she)\b"
)
_HAS_PLACE = re.compile(
    r"\b(?:in|at|on|near|to|from|behind|under|next|room|building|floor|street|city)\b", re.IGNORECASE
)
_HAS_CONTACT = re.compile(
    r"@|\bhttps?:|www\.|\b(?:extension|street|road|ext\.?)\b|\d{3,}|\b\w+\.(?:com|org|net|example)\b", re.IGNORECASE
)
_HAS_RULE = re.compile(
    r"\b(?:yes|no|not|never|always|only|may|can|cannot|could|must|shall|should|will|would|need(?:s|ed)?|ha(?:s|ve) to"
    r"|allow(?:s|ed)?|permit(?:s|ted)?|forbidden|require[ds]?|possible|except|unless|includes?|included|covers?|covered)\b",
    re.IGNORECASE,
)

_ASKS: tuple[tuple[Wanted, re.Pattern[str], re.Pattern[str]], ...] = (
    ("contact", _CONTACT, _HAS_CONTACT),
    ("money", _MONEY, _HAS_MONEY),
    ("time", _TIME, _HAS_TIME),
    ("quantity", _QUANTITY, _HAS_QUANTITY),
    ("person", _PERSON, _HAS_PERSON),
    ("place", _PLACE, _HAS_PLACE),
    ("rule", _RULE, _HAS_RULE),
)
_HAS: dict[Wanted, re.Pattern[str]] = {kind: has for kind, _, has in _ASKS}


@dataclass(frozen=True)
class Question:
    """A standalone question."""

    text: str

    @cached_property
    def terms(self) -> list[Term]:
        """Its content words, without the small words of its language; all of them if it has no others."""
        language = language_of(self.text)
        found = [with_inflections(term, language) for term in terms(self.text)]
        small = small_words(language)
        return [term for term in found if term.text.lower() not in small] or found

    @cached_property
    def focus(self) -> list[Term]:
        """The content words that name its subject; all of them if none does."""
        named = [term for term in self.terms if not is_generic(term)]
        return named or self.terms

    @cached_property
    def codes(self) -> list[Code]:
        """What it names by letters and digits, as `E06`: another one's text is about something else."""
        return asked_codes(self.text)

    @cached_property
    def forms(self) -> frozenset[str]:
        """Comparable forms of its words."""
        return form_set(self.text)

    @cached_property
    def wanted(self) -> Wanted:
        """The kind of thing that would answer it."""
        return _wanted(self.text)

    def suits(self, text: str) -> bool:
        """Whether a text holds something of the kind that is asked for."""
        return is_of_kind(self.wanted, text)


def _wanted(text: str) -> Wanted:
    return next((kind for kind, asks, _ in _ASKS if asks.search(text)), "statement")


def is_of_kind(kind: Wanted, text: str) -> bool:
    """Whether a text holds something of a kind; everything is a statement."""
    has = _HAS.get(kind)
    found = has is None or bool(has.search(text))
    return found and (kind != "money" or any(map(str.isdigit, text)) or "free" in text.lower())
