"""The labels and tags by which prompts name their parts: "Question:", "### Context", `<documents>`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

Role = Literal["question", "context", "instructions", "answer"]
"""What a part of a message is. An answer is the place that a model is to fill, or what was answered before."""


def _pattern(text: str) -> str:
    return "".join(line.strip(" ") if line.startswith("    ") else line for line in text.split("\n"))


_OF = _pattern(
    r"""(?:(?:the|my|our|your|a|an|this|these|here (?:is|are)|original|user(?:['’]?s)?|final|current|input|new|actual
    |next|latest|following
    |follow[- ]?up|relevant|retrieved|provided|additional|some|helpful|standalone|expected|existing
    |response|previous|given|refined|die|der|das|meine|aktuelle|bereitgestellte[rn]?|la|le|les|ma|mon|el|los|mi) )*"""
)
_IS = r"(?: (?:is|are|begins?|starts?))?(?: (?:as follows|below|here))?"
_QUESTION = _pattern(
    r"""questions?|quer(?:y|ies)|user (?:query|question|input|message|prompt|request)|prompt|frage|benutzerfrage
    |pregunta
    |consulta|task|aufgabe|human|user|follow up input|q"""
)
_CONTEXT = _pattern(
    r"""contexts?|context information|information|documents?|sources?|passages?|articles?|search results|excerpts?
    |snippets?|references?|knowledge(?: base)?|background(?: information)?|(?:chat |conversation )?history|conversation
    |examples?|context you['’]re working with|memories|kontext|dokumente|quellen|contexte|contexto|documentos|fuentes"""
)
_INSTRUCTIONS = _pattern(
    r"""instructions?|rules?|guidelines?|requirements?|constraints?|(?:output|answer|response) (?:format|style|language)
    |format|output|tone|style|language|persona|role|system|expected output|expected criteria for your final answer
    |example of citation|anweisungen|regeln|vorgaben|consignes|instrucciones|reglas|sprache|langue|idioma|stil
    |ausgabe(?:format)?|antwortformat"""
)
_ANSWER = _pattern(
    r"""answers?|final answer|helpful answer|response|assistant|ai|bot|completed|reasoning|thought|standalone question
    |antwort|réponse|respuesta|summary|a"""
)
_NOUNS: tuple[tuple[Role, str], ...] = (
    ("question", _QUESTION),
    ("context", _CONTEXT),
    ("instructions", _INSTRUCTIONS),
    ("answer", _ANSWER),
)
_NAMED: tuple[tuple[Role, re.Pattern[str]], ...] = tuple(
    (role, re.compile(rf"(?:this is )?{_OF}(?:{nouns}){_IS}", re.IGNORECASE)) for role, nouns in _NOUNS
)
_LABEL = re.compile(
    r"\s*(?:#{1,6}\s*|\*{1,2}|__)?(?P<name>[^\W\d_][\w '’-]{0,60}?)(?:\*{1,2}|__)?\s?[:：]\s?(?:\*{1,2}|__)?"
    r"(?P<rest>.*)",
    re.DOTALL,
)
_HEADING = re.compile(r"\s*(?:#{1,6}\s*|\*\*)(?P<name>[^\W\d_][\w '’-]{0,60}?)\s*(?:#{1,6}|\*\*)?\s*")
_FIELD = re.compile(
    r"\s*(?:\[\[\s*##\s*(?P<name>\w{1,40})\s*##\s*\]\]|\[(?P<other>[A-Za-z ]{1,40})\])\s?(?P<rest>.*)", re.DOTALL
)
_INLINE = re.compile(
    r"(?<=[.!?:])[^\S\n]+(?=(?:Question|Query|Context|Documents|Frage|Kontext|Question|Pregunta|Contexto) ?: ?\S)"
    r"|[^\S\n]+(?=(?:Helpful |Final |Short )?(?:Answer|Antwort|Réponse|Respuesta) ?:\s*$)",
)
"""Where a label begins within a line."""


def _roles(role: Role, names: str) -> dict[str, Role]:
    return dict.fromkeys(names.split(), role)


_TAGGED: dict[str, Role] = {
    **_roles(
        "question",
        """question query user_query user_question user_input user_message user_request user_prompt user input task
        request prompt frage pregunta""",
    ),
    **_roles(
        "context",
        """context contexts document documents doc docs documentation source sources passage passages retrieved_context
        search_results results result knowledge knowledge_base excerpt excerpts snippet snippets data reference
        references article articles chat_history history conversation examples example background kontext contexte
        contexto""",
    ),
    **_roles(
        "instructions",
        """instructions instruction rules guidelines format output_format response_format answer_format style tone
        system role persona language constraints requirements""",
    ),
}
_TAG = re.compile(r"<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z_ -]{0,30})(?:\s[^<>\n]{0,200})?>")
Part = tuple[Role | None, str]


def read_label(line: str) -> tuple[Role, str] | None:
    """The role that a line's label gives to what follows, and the rest of the line; None where it has no label."""
    if (field := _FIELD.fullmatch(line)) is not None:
        role = _role(field["name"] or field["other"])
        return (role or "answer", field["rest"]) if field["name"] or role else None
    if (heading := _HEADING.fullmatch(line)) is not None and (role := _role(heading["name"])) is not None:
        return role, ""
    label = _LABEL.fullmatch(line)
    role = _role(label["name"]) if label is not None else None
    return (role, label["rest"]) if label is not None and role is not None else None


def lines_by_label(text: str) -> Iterator[str]:
    """The lines of a text; a label that follows a sentence begins a line of its own."""
    for line in text.split("\n"):
        labelled = read_label(line)
        yield from [line] if labelled is not None and labelled[0] == "answer" else _INLINE.sub("\n", line).split("\n")


def tagged_parts(text: str) -> list[Part]:
    """A text cut at the tags of prompts, each part with its role: None outside of them. A tag that is not closed, or
    stands within a sentence, is text."""
    tags = [tag for tag in _TAG.finditer(text) if _name(tag) in _TAGGED]
    last = {_name(tag): tag.start() for tag in tags if tag["close"]}
    parts: list[Part] = []
    begin, opened = 0, None
    for place, tag in enumerate(tags):
        if opened is not None:
            if tag["close"] and _name(tag) == _name(opened):
                parts += [(None, text[begin : opened.start()]), (_TAGGED[_name(tag)], text[opened.end() : tag.start()])]
                begin, opened = tag.end(), None
        elif not tag["close"] and last.get(_name(tag), -1) > tag.start():
            following = tags[place + 1] if place + 1 < len(tags) else None
            closes = following is not None and following["close"] and _name(following) == _name(tag)
            opened = tag if closes or _begins_line(text, tag.start()) else None
    return [*parts, (None, text[begin:])]


def _begins_line(text: str, at: int) -> bool:
    before = text[max(0, at - 40) : at].rpartition("\n")[2]
    return not before.strip() and (at <= 40 or "\n" in text[at - 40 : at])


def _name(tag: re.Match[str]) -> str:
    return tag["name"].strip().lower().replace("-", "_").replace(" ", "_")


def _role(name: str) -> Role | None:
    bare = " ".join(name.replace("_", " ").split())
    return next((role for role, pattern in _NAMED if pattern.fullmatch(bare)), None)
