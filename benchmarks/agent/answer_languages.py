"""XQuAD-R for `make bench-answers`: the same questions and paragraphs in several languages, asked without any setting.

`xquad-de` are German questions about German paragraphs, `xquad-en-zh` English questions about Chinese ones. Of 240
paragraphs those of the questions that are to have no answer are left out. Half of the paragraphs (by hash) are for
developing; `HELD_OUT=1` asks about the other half.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from benchmarks.agent.answer_sets import SEED, AnswerSet, Case, Document, Gold, lines, some

NAME = re.compile(r"xquad-(?P<asked>[a-z]{2})(?:-(?P<written>[a-z]{2}))?")
JOINED = frozenset(("ar", "th", "zh"))
"""Languages that write words without blanks, or articles and prepositions to a word: there an answer also counts within
one."""
OPENING = 6
"""Words of a paragraph that are its title."""


def xquad(folder: Path, name: str, each: int) -> AnswerSet:
    """As many questions with an answer among the paragraphs as without one."""
    asked, written = NAME.fullmatch(name).group("asked", "written")  # type: ignore[union-attr]  # names were matched
    written = written or asked
    home = folder.parent / "retrieval" / "xquad_r"
    texts = {row["_id"]: row["text"] for row in lines(home / written / "paragraphs.jsonl")}
    wording = {row["_id"]: row["question"] for row in lines(home / asked / "qa.jsonl")}
    held_out = bool(os.environ.get("HELD_OUT"))
    rows = [
        row
        for row in lines(home / written / "qa.jsonl")
        if is_held_out(row["context_id"]) == held_out and row["_id"] in wording and any(row["answers"])
    ]
    chosen = some(rows, len(rows))
    others = chosen[:each]
    taken = {row["context_id"] for row in others}
    kept = [row for row in chosen[each:] if row["context_id"] not in taken][:each]
    cases = [_answerable(row, wording[row["_id"]], texts, written in JOINED) for row in kept]
    cases += [Case(wording[row["_id"]], ()) for row in others]
    documents = [Document(_id(at), title_of(text), text.strip()) for at, text in texts.items() if at not in taken]
    return AnswerSet(name, documents, cases, plain=False)


def is_held_out(paragraph: int) -> bool:
    """Whether a paragraph is of the half that nothing is fitted on."""
    return bool(hashlib.sha256(f"{SEED}-{paragraph}".encode()).digest()[0] % 2)


def _answerable(row: dict[str, Any], question: str, texts: dict[int, str], joined: bool) -> Case:
    document, text = _id(row["context_id"]), texts[row["context_id"]]
    answers = tuple(filter(None, row["answers"]))
    start = row["answer_start"] - (len(text) - len(text.lstrip()))  # a text is kept without blanks around it
    return Case(question, answers, (Gold(document, start, start + len(answers[0])),), inside_words=joined)


def _id(paragraph: int) -> str:
    return f"paragraph-{paragraph}"


def title_of(text: str) -> str:
    """What a paragraph's document is called: its first words."""
    opening = " ".join(text.split()[:OPENING])
    return opening[: OPENING * 5]
