"""A question as it is stored: its content, what names it, and where it came from."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from contracts.improvement.question_sets import MAX_QUESTION_BYTES, QuestionItem
from lab.errors import QuestionTooLarge
from lab.questions.likeness import words_of

ID_LETTERS = 20
SHOWN_CHARS = 80
MOST_LABELS_COUNTED = 50


@dataclass(frozen=True, slots=True)
class Item:
    """A question of a version."""

    id: str
    content: Mapping[str, Any]
    """As JSON, without what is empty."""
    digest: str
    """Of the content."""
    place: str
    """How messages call it: `questions.jsonl, line 3`, `items[2]`."""
    has_own_id: bool
    """Whether somebody gave it its id, which else is made of its words."""

    @property
    def split(self) -> str | None:
        """Where it belongs."""
        return self.content.get("split")

    @property
    def text(self) -> str:
        """What is asked, for messages."""
        return str(self.content["question"] if "question" in self.content else self.content["turns"][-1]["content"])

    @property
    def said(self) -> list[str]:
        """What people say in it, in order."""
        turns = self.content.get("turns")
        return [self.text] if turns is None else [turn["content"] for turn in turns if turn["role"] == "user"]

    def shown(self) -> str:
        """The place and the beginning of the words."""
        text = " ".join(self.text.split())
        cut = text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"
        split = f", {self.split}" if self.split else ""
        return f"{self.place} ('{cut}'{split})"


def make_item(question: QuestionItem, place: str) -> Item:
    """What is stored of a question; raises `QuestionTooLarge`. Without an id of its own it is named by its words, so
    that it has the same name in every version."""
    content = {name: value for name, value in question.model_dump(mode="json").items() if value not in (None, [], {})}
    said = [turn.content for turn in question.turns or () if turn.role == "user"] or [question.question or ""]
    name = question.id or name_of(said)
    content["id"] = name
    size = len(json.dumps(content, ensure_ascii=False).encode())
    if size > MAX_QUESTION_BYTES:
        raise QuestionTooLarge(place, size, MAX_QUESTION_BYTES)
    return Item(name, content, _digest(content), place, question.id is not None)


def name_of(said: Sequence[str]) -> str:
    """Of a question that came without an id: the same for the same words."""
    return f"q_{_digest([list(words_of(text)) for text in said])[:ID_LETTERS]}"


def stored_item(content: Mapping[str, Any], digest: str) -> Item:
    """One that a version has already."""
    name = str(content["id"])
    item = Item(name, content, digest, f"the saved question '{name[:60]}'", True)
    return replace(item, has_own_id=name != name_of(item.said))


def digest_of(items: Iterable[Item]) -> str:
    """Of a version: the same for the same questions in any order."""
    return _digest(sorted(item.digest for item in items))


def counts_of(items: Sequence[Item]) -> dict[str, Any]:
    """How many questions there are, of which kinds, and in which splits."""
    known = [item for item in items if item.content.get("answers") or item.content.get("documents")]
    false = [item for item in items if item.content.get("answerable") is False]
    return {
        "questions": len(items),
        "answerable": sum(item.content.get("answerable") is not False for item in known),
        "unanswerable": len(false),
        "splits": dict(sorted(Counter(item.split for item in items if item.split).items())),
        "labels": dict(sorted(Counter(_labels(items)).most_common(MOST_LABELS_COUNTED))),
    }


def _labels(items: Sequence[Item]) -> list[str]:
    """Of all items, each once a question."""
    return sorted(label for item in items for label in set(item.content.get("labels", ())))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
