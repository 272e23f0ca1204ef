"""Words: the terms that BM25 counts in a text, by language.

Words are normalised (NFKC, lower case, no vowel marks of Arabic and Hebrew), freed of stopwords and stemmed (Snowball).
Scripts without spaces are cut: Chinese, Japanese and Korean into pairs of characters and Han characters alone, the
others into pairs; a sentence would otherwise be one term. An identifier of code counts whole and by its parts
(`read_file` and `readFile` as `read` and `file`, too). What each step brings is in `docs/decisions/0402`.

The terms of a text depend on the text and the collection's language alone. A query in `auto` gives the stems of all
languages that it may be in, so that no text is missed because few words were told apart wrongly.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

import snowballstemmer

from retriever.text.languages import AUTO, SNOWBALL, TextLanguages, document_language, query_languages, stopwords

MAX_TERM = 64
"""Longer words (hashes, base64) are cut to this many characters."""

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNSPACED = f"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\uac00-\ud7af{_HAN}"
# Vowel signs of these scripts are no word characters to `re`, and would part a word at each of them.
_SIGNED = "\u0780-\u07bf\u0900-\u0963\u0966-\u0dff\u0f40-\u0fbc"
_RUN = re.compile(rf"(?P<unspaced>[{_UNSPACED}]+)|(?:[^\W_{_UNSPACED}]|[{_SIGNED}])+")
_HAN_CHARACTER = re.compile(f"[{_HAN}]")
_SYMBOL = re.compile(r"[\u2600-\u27bf\U0001f000-\U0001faff]")
_MARKS = re.compile(
    r"[\u00ad\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed\u200c\u200d]"
)
_IDENTIFIER = re.compile(r"(?<![^\W_])[^\W_]++(?:_++[^\W_]++)+")
"""Begins only where a word does, and gives nothing back: a word of 32,000 letters would take seconds otherwise."""
_HUMP = re.compile(r"(?<=[a-z]{2})(?=[A-Z][a-z]{2})")
"""Where `readFile` is parted. Two small letters on each side: `siRNA` and `NFkB` are words."""
_ONE_AT_A_TIME = threading.Lock()  # a Snowball stemmer keeps the word it works on in itself


class _Run(NamedTuple):
    """A word or an unspaced run of a text, in lower case; `camel` if it was written like `readFile`."""

    text: str
    unspaced: bool
    camel: tuple[str, ...]


def terms(text: str, language: str = AUTO) -> list[str]:
    """The terms of a text to be found, in order."""
    runs = list(_runs(text))
    spoken = document_language((run.text for run in runs if not run.unspaced), language)
    return [term for run in runs for term in _terms(run, spoken)] + _whole(text)


def query_terms(text: str, language: str = AUTO) -> list[str]:
    """The terms that a query looks for, in order; of a word in an unclear language, each stem that it may have."""
    runs = list(_runs(text))
    spoken = query_languages((run.text for run in runs if not run.unspaced), language)
    return [term for run in runs for term in _terms(run, spoken)] + _whole(text)


def _runs(text: str) -> Iterator[_Run]:
    for match in _RUN.finditer(_normal(text)):
        run = match.group()
        lower = _MARKS.sub("", run.lower())
        if match["unspaced"]:
            yield _Run(lower, unspaced=True, camel=())
        else:
            parts = _HUMP.split(run) if not run.islower() else []
            yield _Run(lower, unspaced=False, camel=tuple(part.lower() for part in parts) if len(parts) > 1 else ())


def _normal(text: str) -> str:
    return _MARKS.sub("", unicodedata.normalize("NFKC", text))


def _terms(run: _Run, spoken: TextLanguages) -> Iterator[str]:
    if run.unspaced:
        yield from _characters(run.text)
        return
    for word in (run.text, *run.camel):
        yield from _stems(word, spoken.of(word))


def _stems(word: str, languages: tuple[str, ...]) -> tuple[str, ...]:
    """The stems of a word, each once; none of a stopword of the likeliest language."""
    if word in stopwords(languages[0]):
        return ()
    said = (each for each in languages if word not in stopwords(each))
    return tuple(dict.fromkeys(_stem(word[:MAX_TERM], each) for each in said))


def _whole(text: str) -> list[str]:
    """What of a text counts whole beside its words: identifiers with underscores, and symbols."""
    normal = _normal(text)
    return [word.lower()[:MAX_TERM] for word in _IDENTIFIER.findall(normal)] + _SYMBOL.findall(normal)


def _characters(run: str) -> list[str]:
    pairs = [run[at : at + 2] for at in range(len(run) - 1)]
    return [*pairs, *_HAN_CHARACTER.findall(run)] if pairs else [run]


@lru_cache(maxsize=65_536)
def _stem(word: str, language: str) -> str:
    stemmer = _stemmer(language)
    if stemmer is None:
        return word
    with _ONE_AT_A_TIME:
        return str(stemmer.stemWord(word)) or word


@cache
def _stemmer(language: str) -> snowballstemmer.stemmer | None:
    return snowballstemmer.stemmer(SNOWBALL[language]) if language in SNOWBALL else None
