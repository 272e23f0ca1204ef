"""How an answer is to be worded: what the sentences about it want, for the model and for saying what was not obeyed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from agent.questions.language import ENGLISH_NAMES, Spoken, language_of
from agent.questions.messages import directive_words as words
from agent.text.sentences import sentences

MAX_TEXT = 2_000
"""Characters of what a model is told."""
Length = Literal["short", "detailed", "stated"]


def _any(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE)


_SHORT, _DETAILED, _SHAPE, _TONE = map(_any, (words.SHORT, words.DETAILED, words.SHAPE, words.TONE))
_COUNTED = _any(r"\w+[ -](?:\w+ )?(?:sentences|words|lines|paragraphs|sätzen?|wörtern?|phrases|mots|frases|palabras)")
_LIKE_FIVE = _any(r"like (?:i['’ a]{1,4}m|i am) (?:five|5)")
_LANGUAGE = _any("|".join(words.LANGUAGES))
_TO_BE_IN = re.compile(
    rf"(?<!\w)(?:in|auf|en|into|sur)\s+(?:\w+\s)?(?P<language>{'|'.join(words.LANGUAGES)})(?!\w)"
    rf"|^\W*(?P<only>{'|'.join(words.LANGUAGES)})(?:\s+(?:only|please))?\W*$",
    re.IGNORECASE,
)
_KEPT_ANYWAY = _any(
    r"context\w*|passages?|documents?|sources?|citations?|references?|cite|do(?: not|n['’]t) know|not sure|unsure"
    r"|uncertain|make (?:\w+ )?up|making (?:\w+ )?up|guess|invent|hallucinate|prior knowledge|quellen?\w*|dokument\w*"
    r"|kontext\w*|nicht weißt|sources|références?|fuentes|referencias|contexto|documentos|same language"
)
"""What every answer here keeps to, whoever asks: its sources, their citations, and saying that there is no answer."""


@dataclass(frozen=True, slots=True)
class Manner:
    """What a message says about how to answer."""

    text: str = ""
    """For a model, in the asker's words; without what every answer keeps to."""
    language: str | None = None
    """The English name of the language that is asked for."""
    length: Length | None = None
    """`stated`: in so many sentences or words."""
    shaped: bool = False
    """Whether it is to be JSON, a table, or a list."""
    toned: bool = False

    @property
    def spoken(self) -> Spoken | None:
        """The language that is asked for, if abstentions are written in it."""
        return next((code for code, name in ENGLISH_NAMES.items() if name == self.language), None)

    def unmet(self, answer: str) -> Iterator[Literal["style", "format"]]:
        """What an answer in words of the sources does not keep to."""
        if self.shaped:
            yield "format"
        spoken = language_of(answer)
        other = self.language is not None and spoken is not None and ENGLISH_NAMES[spoken] != self.language
        if other or self.toned or self.length == "detailed":
            yield "style"


NO_MANNER = Manner()


def read_manner(directives: Iterable[str]) -> Manner:
    """The manner that sentences about the answer ask for; of two that contradict each other the later one."""
    said = [part for one in directives for part in _sentences_of(one)]
    if not said:
        return NO_MANNER
    language: str | None = None
    length: Length | None = None
    for one in said:
        if (found := _TO_BE_IN.search(one)) is not None:
            language = words.LANGUAGES[(found["language"] or found["only"]).lower()]
        length = _length(one) or length
    wanted = [one for one in said if _wants_something(one) or not _KEPT_ANYWAY.search(one)]
    return Manner(
        " ".join(dict.fromkeys(one if one.endswith((".", "!", "?")) else f"{one}." for one in wanted))[:MAX_TEXT],
        language,
        length,
        any(_SHAPE.search(one) and not _refuses(one) for one in said),
        any((_TONE.search(one) or _LIKE_FIVE.search(one)) and not _refuses(one) for one in said),
    )


def _sentences_of(text: str) -> Iterator[str]:
    for line in text[: 2 * MAX_TEXT].split("\n"):
        yield from (line[begin:end] for begin, end in sentences(line) if any(map(str.isalnum, line[begin:end])))


def _length(text: str) -> Length | None:
    if _COUNTED.search(text):
        return "stated"
    if _DETAILED.search(text):
        return "detailed"
    return "short" if _SHORT.search(text) else None


def _wants_something(text: str) -> bool:
    found = (_SHORT, _DETAILED, _SHAPE, _TONE, _LANGUAGE)
    return not _refuses(text) and any(pattern.search(text) for pattern in found)


def _refuses(text: str) -> bool:
    """Whether it says what not to do: no emojis, which no answer has."""
    return re.search(r"\b(?:no|not|n['’]t|never|avoid|without|keine?|ohne|sans|sin)\b", text, re.IGNORECASE) is not None
