"""Words as the answer graph compares them: content words by stem, numbers by value, names by spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from agent.text.codes import spaced_codes
from agent.text.scripts import SIGNS, UNSPACED, algorithm, folded, is_piece, pieces, stemmer

_LETTERS = rf"(?:[^\W_{UNSPACED}]|[{SIGNS}])+"
TOKEN = re.compile(rf"[{UNSPACED}]+|{_LETTERS}(?:(?:[-'’]|(?<=\d)[.,:](?=\d)){_LETTERS})*")
"""A word, a number, or a run of a script that sets no blanks, whose words are its `pieces`."""
_DECIMAL = re.compile(r"\d+(?:\.\d+)?")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_SHORT_THOUSANDS = re.compile(r"(?!401k)(\d{1,6}(?:\.\d{1,3})?)k")
"""`401k` names a plan for pensions."""
_SPOKEN = re.compile(r"(?<![\w.,])(\d{1,6}(?:\.\d{1,3})?)\s?(grand|thousand|million)\b", re.IGNORECASE)
_BEFORE_AMOUNT = re.compile(r"^(?:eur|usd|gbp|chf)(?=\d)")
_TIMES = {"grand": 1_000, "thousand": 1_000, "million": 1_000_000}
_CODE = re.compile(r"[^\W\d_]+-?\d[\w-]*")
_LONG_NAME = re.compile(r"\b[A-Z][a-z]+(?: [A-Z][a-z]+){1,4}\b")
_POSSESSIVE = re.compile(r"['’]s$|['’]$")
_SHORTENED = re.compile(r"(?:n['’]t|['’](?:s|re|ve|ll|d|m))$", re.IGNORECASE)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_UP_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
_NUMBER_NAMES = (
    (_UP_TO_TWENTY, 0),
    ("zwei drei vier fünf sechs sieben acht neun zehn", 2),
    ("zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn zwanzig", 12),
    ("deux trois quatre cinq", 2),
    ("huit", 8),
    ("dix", 10),
    ("douze treize quatorze quinze", 12),
    ("tres cuatro cinco seis siete ocho nueve diez", 3),
    ("doce trece catorce", 12),
    ("dieciséis diecisiete dieciocho diecinueve veinte", 16),
    ("quattro cinque", 4),
    ("twee drie", 2),
    ("vijf zes zeven", 5),
    ("negen tien", 9),
    ("dois três quatro", 2),
    ("sete oito", 7),
)
"""Of several languages, those that mean nothing else in another one, and what the first of each row is."""
_TENS = {
    "20": "vingt venti",
    "30": "thirty dreißig trente treinta",
    "40": "forty vierzig quarante cuarenta",
    "50": "fifty fünfzig cinquante cincuenta",
    "60": "sixty sechzig soixante sesenta",
    "70": "siebzig setenta",
    "80": "achtzig ochenta",
    "90": "ninety neunzig noventa",
    "100": "hundred hundert cien cento",
    "1000": "tausend mille",
}
NUMBER_WORDS: dict[str, str] = {
    name: str(value) for row, first in _NUMBER_NAMES for value, name in enumerate(row.split(), first)
} | {name: value for value, names in _TENS.items() for name in names.split()}

_CURRENCIES = {"euro": "eur", "euros": "eur", "dollar": "usd", "dollars": "usd"}
"""One writes the word, the other the code."""

STOPWORDS: frozenset[str] = _set(
    """a about after all also am an and any are as at be because been before being between both but by can could did do
    does doing done during each either else for from had has have having he her here hers him his how i if in into is it
    its itself just let like may me might mine more most much must my no nor not of off on once only or other our ours
    out over own per please same shall she should so some such than that the their theirs them then there these they
    this those through to too under until up upon us very was we were what when where whether which while who whom whose
    why will with within would yes you your yours s t don isn aren doesn didn won ca wo im ive dont doesnt didnt isnt
    arent wasnt werent cant couldnt wont wouldnt shouldnt hasnt havent whats wheres whos hows thats theres heres youre
    youve theyre weve gonna gotta wanna till"""
)
"""Words that say nothing about what a text is about."""

GENERIC: frozenset[str] = _set(
    """add allow allowed amount apply ask available become begin big call called case change come contain cost costs
    current describe different document documents ever every exact exactly example explain fact far find first
    follow following
    general get give given go good great happen happens have help high include included information kind know large
    last least less level list little long look low made main make makes many maximum mean mention mentioned minimum
    name named need needed new number offer often old one part people percent percentage
    period person place possible price provide put question reason receive request required right said say says
    see set show small soon specific state stated start take takes tell thing things time total type use used uses using
    value want way week well what work works year years date day days different main many name
    really actually still today now ok okay bit lot stuff guy guys else maybe anyway"""
)
"""Words that a question uses to ask rather than to name its subject; they weigh little in coverage."""

_IRREGULAR = _set("got gotten gave taken took came gone went had made told said began begun saw seen meant")

_CAPITAL_INSIDE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
READABLE_DIGITS = 4_000


@dataclass(frozen=True, slots=True)
class Term:
    """One content word: as written, and every form under which it counts as present."""

    text: str
    forms: frozenset[str]
    distinctive: bool
    """A name, a code or a number: something that no other wording can stand for."""
    spoken: str = ""
    """The amount, written out, of which it is a word: `2000` of both words of "2 grand"."""

    @property
    def value(self) -> str:
        """What it is as a number, if it is one."""
        return self.spoken or self.text

    @property
    def is_code(self) -> bool:
        """Whether it is letters and then digits, as `E06`, `SEV2` or `L4-30`: the name of one thing among its like."""
        return _CODE.fullmatch(self.text) is not None and number_value(self.text) is None

    @property
    def exact(self) -> frozenset[str]:
        """Its forms; of a code only those of the whole, as `L4` alone is not `L4-30`."""
        whole = self.text.lower()
        return frozenset((stem(whole), stem(whole.replace("-", "")))) if self.is_code else self.forms

    def __hash__(self) -> int:
        """By the word alone: a question's terms are looked up for every passage."""
        return hash(self.text)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The stem of a lower-case word (Snowball): the English one, or that of its script; itself if there is none."""
    name = algorithm(word)
    return (str(stemmer(name).stemWord(folded(word))) if name else folded(word)) or word


@lru_cache(maxsize=1)
def _generic_stems() -> frozenset[str]:
    """Of generic words in all their forms: who asks writes "gets" and "got" as well."""
    return frozenset(map(stem, GENERIC | _IRREGULAR | _CURRENCIES.keys()))


def number_value(token: str) -> str | None:
    """A number in one spelling (`1,180` and `EUR1180`, `two` and `2`, `80k` and `80000`), or None."""
    lowered = _BEFORE_AMOUNT.sub("", token.lower())
    if lowered in NUMBER_WORDS:
        return NUMBER_WORDS[lowered]
    if short := _SHORT_THOUSANDS.fullmatch(lowered):
        return _times(short[1], 1000)
    if _THOUSANDS.fullmatch(lowered):
        lowered = lowered.replace(",", "")
    if not _DECIMAL.fullmatch(lowered):
        return None
    whole, _, fraction = lowered.partition(".")
    fraction = fraction.rstrip("0")
    return f"{_plain(whole)}.{fraction}" if fraction else _plain(whole)


def _times(number: str, by: int) -> str:
    """A number of at most three decimals, times a thousand or more: exact, as 8.2 times a million is not in floats."""
    return str(int(Decimal(number) * by))


def _plain(digits: str) -> str:
    """Without leading zeros. Python reads no integers of more than 4,300 digits, and a document may hold some."""
    return str(int(digits)) if len(digits) <= READABLE_DIGITS else digits.lstrip("0") or "0"


@lru_cache(maxsize=65_536)
def forms(token: str) -> frozenset[str]:
    """The comparable forms of one token: a number's value, or the stems of the word, its parts and both joined."""
    value = number_value(token)
    if value is not None:
        return frozenset((value, token.lower()))
    word = _POSSESSIVE.sub("", token.lower().replace("’", "'"))
    parts = [part for part in word.split("-") if part]
    found = {stem(word), stem("".join(parts))}
    if word in _CURRENCIES:
        found.add(_CURRENCIES[word])
    if len(parts) > 1:
        found |= {stem(part) for part in parts if len(part) > 1}
    return frozenset(found)


def is_content(token: str) -> bool:
    """Whether a token carries meaning of its own; `what's` and `don't` do as little as `what` and `do`."""
    lowered = _SHORTENED.sub("", token.lower())
    return lowered not in STOPWORDS and (len(lowered) > 1 or lowered.isdigit())


@lru_cache(maxsize=65_536)
def _content_forms(token: str) -> frozenset[str]:
    return forms(token) if is_content(token) else frozenset()


@lru_cache(maxsize=512)
def form_set(text: str) -> frozenset[str]:
    """Every form of every content word of a text, the initials of its names ("European Economic Area"), and `gpt4`
    of "GPT 4".

    The last texts are kept: while one question is judged, the same heading, sentence or chunk is asked for many times.
    """
    initials = ("".join(word[0] for word in name.split()).lower() for name in _LONG_NAME.findall(text))
    joined = (code.letters + code.number for code in spaced_codes(text))
    return frozenset((*initials, *joined)).union(*map(_content_forms, set(words(text))))


def words(text: str) -> list[str]:
    """The words of a text in order; of a script that sets no blanks its pairs of characters."""
    return [piece for token in TOKEN.findall(text) for piece in pieces(token)]


def count_words(text: str) -> float:
    """How many words a text has, about: of two characters of an unspaced run each other pair is one."""
    return sum(0.5 if is_piece(word) else 1 for word in words(text))


def _written_out(spoken: re.Match[str]) -> str:
    return _times(spoken[1], _TIMES[spoken[2].lower()])


def with_amounts(text: str) -> str:
    """A text whose spoken amounts are written out: "2 grand" as "2000"."""
    return _SPOKEN.sub(lambda found: _written_out(found), text)


def numbers(text: str) -> frozenset[str]:
    """The numbers in a text, in one spelling; codes such as `WS3-H` are names, not numbers."""
    found = (number_value(token) for token in TOKEN.findall(text))
    return frozenset(value for value in found if value is not None)


def has_digit(token: str) -> bool:
    """Whether a token has a digit in it."""
    return any(character.isdigit() for character in token)


def names(text: str) -> list[str]:
    """Capitalised words, acronyms and codes; the first word of a sentence only if a capitalised one follows."""
    matches = list(TOKEN.finditer(text))
    found: list[str] = []
    for at, match in enumerate(matches):
        token = match.group()
        following = matches[at + 1].group() if at + 1 < len(matches) else ""
        if _is_code(token) or (
            _is_capital(token) and (not _opens(text, match.start()) or (_is_capital(following) and token.isalpha()))
        ):
            found.append(token)
    return found


def _is_code(token: str) -> bool:
    if has_digit(token):
        return any(character.isalpha() for character in token) and number_value(token) is None
    return len(token) > 1 and token.isupper() and token.isalpha()


def _is_capital(token: str) -> bool:
    return token[:1].isupper() and token.lower() not in STOPWORDS and token.lower() not in GENERIC


def _opens(text: str, at: int) -> bool:
    """Whether a word opens a sentence, where a capital says nothing."""
    before = text[:at].rstrip(" \t\n\"'“‘(*")
    return not before or before[-1] in ".!?:•|"


def spaced(name: str) -> str:
    """The words of a name in a program: `paidLeave_days` as "paid leave days"."""
    return " ".join(_CAPITAL_INSIDE.sub(" ", name).replace("_", " ").replace("-", " ").split()).lower()


def terms(text: str) -> list[Term]:
    """The content words of a question, each once, in order."""
    named = set(names(text))
    found: dict[frozenset[str], Term] = {}
    amounts = [(*match.span(), _written_out(match)) for match in _SPOKEN.finditer(text)]
    for match in TOKEN.finditer(text):
        spoken = next((value for start, end, value in amounts if start <= match.start() < end), "")
        for token in filter(is_content, pieces(match.group())):
            key = forms(token) | ({spoken} if spoken else set())
            distinctive = token in named or has_digit(token)
            found.setdefault(key, Term(token, key, distinctive, spoken))
    return list(found.values())


def is_generic(term: Term) -> bool:
    """Whether a term asks rather than names."""
    return not term.distinctive and stem(term.text.lower()) in _generic_stems()


def covered_terms(wanted: Iterable[Term], present: frozenset[str]) -> list[Term]:
    """Those of `wanted` that are present in some form."""
    return [term for term in wanted if not term.forms.isdisjoint(present)]
