"""The language of a whole document, or that it has several: what its collection's embedding model is chosen by.

A text is looked at some words at a time, so that paragraphs in two languages are told from words that two share.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from retriever.text.languages import ENGLISH, ENOUGH, ENOUGH_A_WORD, latin_evidence, script_of, stopwords

SAMPLE_CHARS = 16_000
"""Beginning, middle and end of a longer text are looked at, together so much."""
WINDOW = 16
"""Words: a sentence."""
SHARE = 0.85
"""A text is in a language that so much of it is in."""
SHORT = 20
"""Latin words that show no language are taken for English, as names and codes are, unless there are more of them."""
MOSTLY = 0.5
"""A text with so many of its letters in a script that no language here has is in none of them, however short it is."""
_UNSPACED = {
    "ja": "\u3040-\u30ff",
    "ko": "\uac00-\ud7af\u1100-\u11ff",
    "th": "\u0e00-\u0e7f",
    "lo": "\u0e80-\u0eff",
    "my": "\u1000-\u109f",
    "km": "\u1780-\u17ff",
    "zh": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
}
_RUNS = {language: re.compile(f"[{letters}]+") for language, letters in _UNSPACED.items()}
_WORD = re.compile(r"[^\W\d_]+")
FIRST_OF_OTHERS = "\u0370"
"""Letters before are Latin."""
CHARACTERS_A_WORD = 2
"""Of languages that set no blanks."""
KANA = 0.1
"""Han characters beside so many kana for each are Japanese."""
_BY_SCRIPT = {
    "arabic": ("ar",),
    "cyrillic": ("ru", "uk"),
    "greek": ("el",),
    "devanagari": ("hi",),
    "armenian": ("hy",),
    "hebrew": ("he",),
    "tamil": ("ta",),
}


def main_language(text: str) -> str | None:
    """The ISO 639-1 code of the language that a text is in; null where it has several, or one that is not known."""
    sample = _sample(text)
    if _is_mostly_foreign(sample):
        return None
    words, unknown = _count(sample)
    known = sum(words.values())
    if not known:
        return ENGLISH if unknown < SHORT else None
    language, most = words.most_common(1)[0]
    return language if most >= SHARE * known and unknown <= 2 * known else None


def _sample(text: str) -> str:
    if len(text) <= SAMPLE_CHARS:
        return text
    part, middle = SAMPLE_CHARS // 3, len(text) // 2
    return "\n".join((text[:part], text[middle : middle + part], text[-part:]))


def _is_mostly_foreign(text: str) -> bool:
    """Whether it is in a script of another language than those that are known: Georgian, for instance."""
    letters = Counter(filter(str.isalpha, text))
    foreign = sum(count for letter, count in letters.items() if _is_foreign(letter))
    return foreign > MOSTLY * letters.total()


def _is_foreign(letter: str) -> bool:
    if letter < FIRST_OF_OTHERS or script_of(letter) != "latin" or any(run.match(letter) for run in _RUNS.values()):
        return False
    plain = unicodedata.normalize("NFKC", letter)[0]  # full width letters and ligatures are Latin, too
    return not unicodedata.name(plain, "").startswith("LATIN")


def _count(text: str) -> tuple[Counter[str], int]:
    """Words by language, and how many there are in none that is known."""
    words: Counter[str] = Counter()
    for language, runs in _RUNS.items():
        characters = sum(map(len, runs.findall(text)))
        words[language] = -(-characters // CHARACTERS_A_WORD)
        text = runs.sub(" ", text)
    if words["ja"] > KANA * words["zh"]:
        words["ja"] += words.pop("zh")
    unknown = 0
    for window in _windows(text):
        by_script: dict[str, list[str]] = {}
        for word in window:
            by_script.setdefault(script_of(word), []).append(word)
        for script, some in by_script.items():
            spoken = _latin(some) if script == "latin" else _of_script(script, some)
            if spoken is None:
                unknown += len(some)
            else:
                words[spoken] += len(some)
    return +words, unknown


def _windows(text: str) -> Iterator[list[str]]:
    found = _WORD.findall(text.lower())
    for first in range(0, len(found), WINDOW):
        yield found[first : first + WINDOW]


def _latin(words: Sequence[str]) -> str | None:
    evidence = latin_evidence(words)
    best = max(evidence.values(), default=0.0)
    if best < max(ENOUGH, ENOUGH_A_WORD * len(words)):
        return None
    if evidence[ENGLISH] >= best:
        return ENGLISH
    likeliest = max(evidence, key=lambda each: (evidence[each], each))
    alone = len(stopwords(likeliest) & {*words}) < 2 and all(map(str.isascii, words))
    return None if alone else likeliest  # one word makes nothing foreign, as in `languages`


def _of_script(script: str, words: Sequence[str]) -> str:
    """The script's language, of several the one whose function words are found more often."""
    return max(_BY_SCRIPT[script], key=lambda each: sum(word in stopwords(each) for word in words))
