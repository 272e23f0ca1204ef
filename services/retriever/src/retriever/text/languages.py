"""Languages: which stemmer and which stopwords the words of a text get, and which language a text is in.

The script of a word says most: Arabic, Cyrillic, Greek, Devanagari and Tamil words go to that script's stemmer, or to
the collection's own language if it is written in that script. Only Latin words need telling apart, which function
words do: a text is in the language that most of them belong to, a word of several languages counting less for each.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from retriever.errors import LanguageUnknown

AUTO = "auto"
ENGLISH = "en"
"""What a Latin text is taken for that shows nothing else."""
ENOUGH_A_WORD = 0.1
"""So much evidence for each word of a text, or it is names and code in no language."""
PLAUSIBLE = 0.75
"""A language with at least this share of the best one's evidence may be the language of a query, too."""
ENOUGH = 0.5
"""Evidence below this (one over the number of languages, for each word or letter of theirs) tells nothing."""

SNOWBALL = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "eo": "esperanto",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "st": "sesotho",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
"""Snowball's algorithm by ISO 639-1 code."""
UNSTEMMED = ("bg", "he", "ja", "km", "ko", "lo", "my", "th", "uk", "vi", "zh")
"""Languages without a stemmer: unspaced ones are cut into characters, the others' words are taken as they are."""
CODES = tuple(sorted((*SNOWBALL, *UNSTEMMED)))

_LETTERS = {
    "cs": "ěřůčšž",
    "da": "æøå",
    "de": "äöüß",
    "es": "ñáíóú",
    "fi": "äö",
    "fr": "éèêçàœ",
    "hu": "őűáéíóöú",
    "it": "àèìòù",
    "no": "æøå",
    "pl": "ąęłńśźżó",
    "pt": "ãõçáéíó",
    "ro": "ășțâî",
    "sv": "åäö",
    "tr": "ğışçöü",
    "vi": "đơưạảấầẩậắằặẹẻẽếềệỉịọỏốồộớờợụủứừựỳỹ",
}
"""Letters that English does not write."""

_SCRIPTS = (
    ("arabic", re.compile(r"[\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff]"), "ar"),
    ("cyrillic", re.compile(r"[\u0400-\u052f]"), "ru"),
    ("greek", re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]"), "el"),
    ("devanagari", re.compile(r"[\u0900-\u097f]"), "hi"),
    ("armenian", re.compile(r"[\u0531-\u058f]"), "hy"),
    ("hebrew", re.compile(r"[\u0590-\u05ff]"), "he"),
    ("tamil", re.compile(r"[\u0b80-\u0bff]"), "ta"),
)
_SCRIPT_OF = {
    "ar": "arabic",
    "fa": "arabic",
    "bg": "cyrillic",
    "ru": "cyrillic",
    "sr": "cyrillic",
    "uk": "cyrillic",
    "el": "greek",
    "hi": "devanagari",
    "ne": "devanagari",
    "hy": "armenian",
    "he": "hebrew",
    "yi": "hebrew",
    "ta": "tamil",
    **dict.fromkeys(("ja", "km", "ko", "lo", "my", "th", "zh"), "unspaced"),
}


@dataclass(frozen=True, slots=True)
class TextLanguages:
    """The languages of a text's Latin words, likeliest first, and of its words in other scripts, by script."""

    latin: tuple[str, ...]
    scripts: dict[str, str]

    def of(self, word: str) -> tuple[str, ...]:
        """The languages that a word may be in, likeliest first."""
        script = script_of(word)
        return self.latin if script == "latin" else (self.scripts[script],)


def check_language(language: str) -> None:
    """Raise `LanguageUnknown` unless it is `auto` or one of `CODES`."""
    if language != AUTO and language not in CODES:
        raise LanguageUnknown(language, CODES)


def script_of(word: str) -> str:
    """The script of a word's first character, `latin` for all that has no stemmer of its own."""
    if word[0] < "\u0370":
        return "latin"
    return next((name for name, letters, _ in _SCRIPTS if letters.match(word)), "latin")


def document_language(words: Iterable[str], language: str) -> TextLanguages:
    """What a text to be found is in: one language a script."""
    return TextLanguages(_latin(list(words), language)[:1], _scripts(language))


def query_languages(words: Iterable[str], language: str) -> TextLanguages:
    """What a query may be in. Few words tell little, so all that is likely counts, and English always does: a text
    that showed no language was taken for English.
    """
    return TextLanguages(_latin(list(words), language), _scripts(language))


@cache
def stopwords(language: str) -> frozenset[str]:
    """The function words of a language; empty where we have none."""
    return _function_words().get(language, frozenset())


@cache
def _scripts(language: str) -> dict[str, str]:
    chosen = {name: default for name, _, default in _SCRIPTS}
    script = _SCRIPT_OF.get(language)
    return chosen | {script: language} if script in chosen else chosen


def _latin(words: Sequence[str], language: str) -> tuple[str, ...]:
    """The likeliest languages. One function word alone makes nothing foreign, since it would be lost as such, as the
    French `car` of `car repair` would: then English comes first.
    """
    if language != AUTO:
        return (language if language not in _SCRIPT_OF else ENGLISH,)
    evidence = latin_evidence(words)
    best = max(evidence.values(), default=0.0)
    if evidence[ENGLISH] >= best or best < max(ENOUGH, ENOUGH_A_WORD * len(words)):
        return (ENGLISH,)
    ranked = sorted((-share, name) for name, share in evidence.items() if share >= PLAUSIBLE * best)
    likely = [name for _, name in ranked]
    alone = len(stopwords(likely[0]) & {*words}) < 2 and all(map(str.isascii, words))
    return tuple(dict.fromkeys((ENGLISH, *likely) if alone else (*likely, ENGLISH)))


def latin_evidence(words: Sequence[str]) -> defaultdict[str, float]:
    """How much Latin words in lower case speak for each language: function words, and letters that English has not."""
    votes, letters = _votes(), _letter_votes()
    evidence: defaultdict[str, float] = defaultdict(float)
    for word in words:
        for candidate, vote in votes.get(word, ()):
            evidence[candidate] += vote
        if not word.isascii():
            for letter in letters.keys() & set(word):
                for candidate, vote in letters[letter]:
                    evidence[candidate] += vote
    return evidence


@cache
def _votes() -> dict[str, tuple[tuple[str, float], ...]]:
    """Of each Latin function word its languages, each with one over their number. Single letters are everywhere."""
    return _shared(
        (word, language)
        for language, words in _function_words().items()
        if language not in _SCRIPT_OF
        for word in words
        if len(word) > 1
    )


@cache
def _letter_votes() -> dict[str, tuple[tuple[str, float], ...]]:
    return _shared((letter, language) for language, letters in _LETTERS.items() for letter in letters)


def _shared(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[tuple[str, float], ...]]:
    speakers: dict[str, list[str]] = {}
    for sign, language in pairs:
        speakers.setdefault(sign, []).append(language)
    return {sign: tuple((each, 1 / len(names)) for each in names) for sign, names in speakers.items()}


@cache
def _function_words() -> dict[str, frozenset[str]]:
    lines = files("retriever.text").joinpath("stopwords.txt").read_text(encoding="utf-8").splitlines()
    named = (line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    return {code: frozenset(words.split()) for code, words in named}
