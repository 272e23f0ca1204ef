"""Fixed sentences of answers without a model, in the languages that they come in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agent.questions.kind import Language
from agent.sanitisation.sanitiser import label, sanitise

_BEHIND = re.compile(r" [–—|-] |: ")
MAX_NAME = 80
"""Characters of a title or of the caller's own words that are said again."""

PHRASES: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "and": "and",
        "greeting": "Hello. ",
        "thanks": "You are welcome.",
        "help": "",
        "purpose": "I answer questions from the documents in {where}, and show the passage behind every answer.",
        "one": " There is one document: {titles}.",
        "all": " There are {count} documents: {titles}.",
        "some": " There are {count} documents, among them {titles}.",
        "filtered": " With your filter these are, among others, {titles}.",
        "examples": "You can ask, for example:",
        "about heading": "What does “{title}” say about {heading}?",
        "empty": "There are no documents in {where} yet that could answer anything.",
        "documents": "These documents in {where} say something about “{topic}”:",
        "documents, some": "These documents in {where}, among others, say something about “{topic}”:",
        "document": "One document in {where} says something about “{topic}”:",
        "summary": "“{title}” in short:",
        "contents": "“{title}” is made of tables and lists. These are its parts:",
        "also": "The name also fits {titles}.",
        "no part": "The documents do not hold an answer to this part.",
    },
    "de": {
        "and": "und",
        "greeting": "Hallo. ",
        "thanks": "Gern geschehen.",
        "help": "",
        "purpose": "Ich beantworte Fragen aus den Dokumenten in {where} und zeige zu jeder Antwort die Fundstelle.",
        "one": " Es gibt ein Dokument: {titles}.",
        "all": " Es gibt {count} Dokumente: {titles}.",
        "some": " Es gibt {count} Dokumente, darunter {titles}.",
        "filtered": " Mit Ihrem Filter sind das unter anderem {titles}.",
        "examples": "Sie können zum Beispiel fragen:",
        "about heading": "Was steht in „{title}“ über {heading}?",
        "empty": "In {where} gibt es noch keine Dokumente, die etwas beantworten könnten.",
        "documents": "Diese Dokumente in {where} sagen etwas über „{topic}“:",
        "documents, some": "Unter anderem diese Dokumente in {where} sagen etwas über „{topic}“:",
        "document": "Ein Dokument in {where} sagt etwas über „{topic}“:",
        "summary": "„{title}“ kurz gefasst:",
        "contents": "„{title}“ besteht aus Tabellen und Listen. Das sind seine Teile:",
        "also": "Der Name passt auch auf {titles}.",
        "no part": "Die Dokumente beantworten diesen Teil nicht.",
    },
}


def say(language: Language, phrase: str, **words: object) -> str:
    """One of our sentences with these words in it, which must be safe to show."""
    return PHRASES[language][phrase].format(**words)


def named(text: str) -> str:
    """A title, or words of the caller, as they may stand in an answer: one line of bounded length, nothing live."""
    shown = sanitise(label(text)).strip()
    return shown if len(shown) <= MAX_NAME else f"{shown[: MAX_NAME - 1].rstrip()}…"


def called(title: str) -> str:
    """A title as one says it: without the name of the house or a subtitle behind it."""
    shown = named(title)
    first = _BEHIND.split(shown)[0]
    return first if len(first) > 3 else shown


def listed(names: Sequence[str], language: Language) -> str:
    """Names in a row: "a, b and c"."""
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} {PHRASES[language]['and']} {names[-1]}"


def where(collections: Sequence[str], language: Language) -> str:
    """The collections that are asked."""
    return listed([f"'{name}'" for name in collections], language)
