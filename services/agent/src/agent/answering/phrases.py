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
        "comma": ", ",
        "and": " and ",
        "greeting": "Hello. ",
        "thanks": "You are welcome.",
        "farewell": "Goodbye.",
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
        "comma": ", ",
        "and": " und ",
        "greeting": "Hallo. ",
        "thanks": "Gern geschehen.",
        "farewell": "Auf Wiedersehen.",
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
    "zh": {
        "comma": "、",
        "and": "和",
        "greeting": "您好。",
        "thanks": "不客气。",
        "farewell": "再见。",
        "help": "",
        "purpose": "我根据{where}中的文档回答问题，并为每个答案标明出处。",
        "one": "共有一个文档：{titles}。",
        "all": "共有 {count} 个文档：{titles}。",
        "some": "共有 {count} 个文档，其中有{titles}。",
        "filtered": "按您的筛选条件，其中有{titles}。",
        "examples": "例如，您可以问：",
        "about heading": "“{title}”中关于{heading}是怎么说的？",
        "empty": "{where}中还没有可以回答问题的文档。",
        "documents": "{where}中的这些文档提到了“{topic}”：",
        "documents, some": "{where}中提到“{topic}”的文档有很多，其中包括：",
        "document": "{where}中有一个文档提到了“{topic}”：",
        "summary": "“{title}”的要点：",
        "contents": "“{title}”由表格和列表组成，各部分如下：",
        "also": "这个名称也可以指{titles}。",
        "no part": "文档没有回答这一部分。",
    },
    "ar": {
        "comma": "، ",
        "and": " و",
        "greeting": "مرحبًا. ",
        "thanks": "على الرحب والسعة.",
        "farewell": "مع السلامة.",
        "help": "",
        "purpose": "أجيب عن الأسئلة من المستندات في {where}، وأبيّن مع كل جواب المقطع الذي يستند إليه.",
        "one": " يوجد مستند واحد: {titles}.",
        "all": " عدد المستندات {count}: {titles}.",
        "some": " عدد المستندات {count}، منها {titles}.",
        "filtered": " وفق عامل التصفية الذي حددته، منها {titles}.",
        "examples": "يمكنك أن تسأل مثلًا:",
        "about heading": "ماذا يقول «{title}» عن {heading}؟",
        "empty": "لا توجد بعد في {where} مستندات تجيب عن أي سؤال.",
        "documents": "هذه المستندات في {where} تتحدث عن «{topic}»:",
        "documents, some": "من المستندات في {where} التي تتحدث عن «{topic}»:",
        "document": "مستند واحد في {where} يتحدث عن «{topic}»:",
        "summary": "خلاصة «{title}»:",
        "contents": "يتكون «{title}» من جداول وقوائم، وهذه أجزاؤه:",
        "also": "ينطبق الاسم أيضًا على {titles}.",
        "no part": "لا تجيب المستندات عن هذا الجزء.",
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
    return f"{PHRASES[language]['comma'].join(names[:-1])}{PHRASES[language]['and']}{names[-1]}"


def where(collections: Sequence[str], language: Language) -> str:
    """The collections that are asked."""
    return listed([f"'{name}'" for name in collections], language)
