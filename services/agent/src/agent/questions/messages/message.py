"""One reader of a user's message: what is asked, how it is to be answered, and what was pasted beside it.

Programs send a question within a prompt of theirs: labels, tags, rules for the answer, passages. Only the question is
searched for and judged. Structure decides first, then single sentences by a closed vocabulary; in doubt a sentence is
part of the question. What asks nothing besides stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.questions.asked_documents import read_document_question
from agent.questions.messages.directives import (
    announces_context,
    cut_directives,
    is_courtesy,
    is_directive,
    without_head,
    without_tail,
)
from agent.questions.messages.labels import Role, lines_by_label, read_label, tagged_parts
from agent.text.sentences import sentences

MAX_LINE = 2_000
"""Characters; a longer line is somebody's text and no prompt's."""
MAX_OWN = 300
"""Characters of what somebody says of himself before a question: more is a text."""
_RULE = re.compile(r"\s*(?:[-=*_#~]{3,}|\"{3}|'{3}|`{3,}[\w-]{0,20})\s*")
_OPENED = {'"""': '"""', "'''": "'''", "```": "```", '"': '"', "“": "”", "„": "“", "«": "»"}
_OWN = re.compile(
    r"\b(?:i|i['’]m|my|we|our|ich|mein\w{0,2}|wir|unser\w{0,2}|je|j['’]ai|mon|ma|mes|nous|yo|mi|mis|tengo|soy)\b",
    re.IGNORECASE,
)
_CHAT_MARKS = re.compile(r"</?s>|\[/?INST\]|<</?SYS>>|<\|[\w ]{1,30}\|>")
_CONTEXT_LABEL = re.compile(r"^\s*(?:context|kontext|contexte|contexto)\s*:\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class UserMessage:
    """A message taken apart."""

    question: str
    """What is asked, with what the asker says of himself; the whole message where nothing in it asks."""
    directives: tuple[str, ...] = ()
    """What it says about how to answer, in order."""
    context: str = ""
    """What was pasted beside the question."""
    asks: bool = True
    """False where it only says how to answer."""


@dataclass(slots=True)
class _Part:
    """A part of a message under one label."""

    role: Role | None
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines).strip()

    @property
    def filled(self) -> bool:
        return any(map(str.isalnum, self.text))


@dataclass(slots=True)
class _Read:
    """What is left of a text without what it says about the answer."""

    kept: str = ""
    directives: list[str] = field(default_factory=list)

    @property
    def asks(self) -> bool:
        return any(map(str.isalnum, self.kept))


def read_message(text: str) -> UserMessage:
    """A user's message taken apart. Linear in its length."""
    whole = text.strip()
    if read_document_question(whole) is not None:
        return UserMessage(whole)
    bare = _unquoted(_CHAT_MARKS.sub(" ", whole) if _CHAT_MARKS.search(whole) else whole)
    parts = list(_parts(bare))
    if len(parts) == 1 and parts[0].role is None:
        read = _without_directives(bare)
        if not read.asks:
            return UserMessage(whole, tuple(read.directives), asks=not read.directives)
        if not any(map(announces_context, read.directives)):
            return UserMessage(read.kept, tuple(read.directives))
    return _put_together(parts, whole)


def _put_together(parts: list[_Part], whole: str) -> UserMessage:
    """The last labelled question, else what no label is for, else the last paragraph of what was pasted."""
    directives: list[str] = []
    asked: list[str] = []
    plain: list[str] = []
    pasted: list[str] = []
    announced = False
    for part in parts:
        if part.role == "context":
            pasted.append(part.text)
        elif part.role == "instructions":
            directives.append(part.text)
        elif part.role != "answer":
            read = _without_directives(part.text)
            directives += read.directives
            announced = announced or any(map(announces_context, read.directives))
            if read.asks:
                (asked if part.role == "question" else plain).append(read.kept)
    if asked:
        own = [one for one in plain if _is_own(one)]
        pasted += [one for one in plain if not _is_own(one)]
        own += [one for one in pasted if _is_own(one)]
        return _message([*own, asked[-1]], directives, pasted)
    if plain:
        if announced and not any(one.role == "context" for one in parts):
            *more, last = _paragraphs("\n\n".join(plain))
            return _message([last], directives, more)
        return _message([one for one in pasted if _is_own(one)] + plain, directives, pasted)
    return _from_pasted(directives, pasted, whole)


def _from_pasted(directives: list[str], pasted: list[str], whole: str) -> UserMessage:
    paragraphs = _paragraphs("\n\n".join(pasted))
    if len(paragraphs) > 1:
        read = _without_directives(paragraphs[-1])
        if read.asks:
            own = [one for one in paragraphs[:-1] if _is_own(one)]
            return _message([*own, read.kept], directives + read.directives, paragraphs[:-1])
    only_directives = bool(directives) and not pasted and all(is_directive(one) for one in directives)
    if only_directives:
        return UserMessage(whole, tuple(directives), asks=False)
    read = _without_directives(_CONTEXT_LABEL.sub("", whole))
    return UserMessage(read.kept if read.asks else whole, tuple(read.directives))


def _message(asked: list[str], directives: list[str], pasted: list[str]) -> UserMessage:
    context = "\n\n".join(one for one in pasted if one and one not in asked)
    return UserMessage("\n\n".join(dict.fromkeys(asked)), tuple(one for one in directives if one), context)


def _parts(text: str) -> Iterator[_Part]:
    """The filled parts of a message by its tags, labels and rules."""
    for role, said in tagged_parts(text):
        found = [_Part(role, [said])] if role is not None else _labelled(said)
        yield from (part for part in found if part.filled)


def _labelled(text: str) -> list[_Part]:
    """A text cut at its labels. Instructions end with their paragraph; all else at the next label."""
    parts = [_Part(None)]
    asked = False
    for line in lines_by_label(text):
        part = parts[-1]
        label = read_label(line) if len(line) <= MAX_LINE else None
        if label is not None and (
            label[0] != "answer" or asked or not label[1].strip() or line.lstrip().startswith("[[")
        ):
            asked = asked or label[0] == "question"
            parts.append(_Part(label[0], [label[1]]))
        elif not line.strip() and part.role == "instructions" and part.filled:
            parts.append(_Part(None))
        elif _RULE.fullmatch(line):
            if part.role == "question" and part.filled:
                parts.append(_Part("context"))
        else:
            part.lines.append(line)
    return parts


def _without_directives(text: str) -> _Read:
    """A text without its sentences about the answer and its courtesies."""
    read = _Read()
    lines: list[str] = []
    in_example = False
    for line in text.split("\n"):
        if len(line) > MAX_LINE:
            lines.append(line)
            continue
        in_example = in_example and bool(line.strip())
        if in_example or _opens_example(line, read):
            read.directives.append(line.strip())
            in_example = True
            continue
        kept = _kept_of(line, read)
        if kept or not line.strip():
            lines.append(kept)
    read.kept = "\n".join(lines).strip() if read.directives or len(lines) > 1 else "".join(lines).strip()
    read.kept = re.sub(r"\n{3,}", "\n\n", read.kept)
    return read


def _opens_example(line: str, read: _Read) -> bool:
    """Whether a line begins what a sentence about the answer has announced by its colon: a schema, an example."""
    return (
        line.lstrip().startswith(("{", "[", "<", "|")) and bool(read.directives) and read.directives[-1].endswith(":")
    )


def _kept_of(line: str, read: _Read) -> str:
    """What a line asks; what it says about the answer is noted."""
    said = [part for begin, end in sentences(line) for part in cut_directives(line[begin:end])]
    kept = [asked for asked in (_asked_in(sentence, read) for sentence in said) if asked]
    return line.rstrip() if kept == said else " ".join(kept)


def _asked_in(sentence: str, read: _Read) -> str:
    """What a sentence asks, empty for one that only greets or says how to answer."""
    directs = is_directive(sentence)
    head, rest = without_head(sentence, ":" if directs else ":,")
    if directs and (not head or is_directive(rest) or rest.startswith(("{", "["))):
        read.directives.append(sentence)
        return ""
    if not directs and is_courtesy(sentence):
        return ""
    asked, tail = without_tail(rest)
    read.directives += [said for said in (head, tail) if said]
    return asked


def _is_own(text: str) -> bool:
    """Whether a text is what somebody says of himself, which belongs to his question."""
    return len(text) <= MAX_OWN and _OWN.search(text) is not None


def _paragraphs(text: str) -> list[str]:
    return [one.strip() for one in re.split(r"\n\s*\n", text) if any(map(str.isalnum, one))]


def _unquoted(text: str) -> str:
    """A text without the quotation marks or fences that stand around all of it."""
    for opens, closes in _OPENED.items():
        inner = text[len(opens) : -len(closes)]
        around = text.startswith(opens) and text.endswith(closes) and len(text) > 2 * len(opens)
        if around and opens not in inner and closes not in inner and any(map(str.isalnum, inner)):
            return inner.strip()
    return text
