"""Reads the open training sets, and makes sure that nothing of an evaluation set is in them."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from research.reader.examples import CONTRADICTED, NEITHER, SUPPORTED, UNSUPPORTED, Example, Reading

FOLDER = Path(__file__).parent
OURS = tuple(FOLDER / f"{name}.jsonl" for name in ("policies", "sections", "situations", "neighbours"))
"""Rules, manuals and tables of invented organisations with questions on them, written for this; from the second on,
sections of one document are like each other's answer. From the third on they ask out of situations, with hardly a word
of the text."""
LANGUAGES = FOLDER / "languages.jsonl"
"""The same in other languages, and across them: for encoders that know more than English."""
UNSEEN = FOLDER / "unseen.jsonl"
"""Whole documents of which nothing is trained on, to judge by."""
NEAR_MISSES = FOLDER / "near_misses.jsonl"
"""Questions on texts of the reading sets, written for this: `no` look as if the text answered them, `yes` are answered
by it in other words."""
SAID = FOLDER / "said.jsonl"
"""Sentences on such texts, written for this: `yes` are supported by the text, `no` are off in one thing."""
KEY = 12
"""Digits of the MD5 by which they name their text."""
LABELS = {"supported": SUPPORTED, "contradicted": CONTRADICTED, "not": NEITHER}
EVALUATION = ("qa/squad2_part", "qa/rgb", "qa/policyqa", "retrieval/xquad_r/en", "retrieval/hotpotqa", "judging/qags",
              "judging/halueval")  # fmt: skip
SHINGLE = 10
"""So many words in a row that stand in both are a copy."""
COPIED = 0.3
"""The share of a text's shingles from which it is held to be of an evaluation set."""
LONGEST_PREMISE = 1200
HELD_OUT = 32
"""Of so many texts, one is held out to choose and calibrate by."""


def rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Of `reading`, `entailment` or `relevance`."""
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, file.read_text(encoding="utf-8").splitlines())


def ours(files: Sequence[Path] = OURS) -> Iterator[dict[str, Any]]:
    """A section of a document with questions, answerable and not, and sentences, supported and not."""
    for file in files:
        yield from _lines(file)


def readings(folder: Path) -> Iterator[Reading]:
    """Questions of the sets."""
    for row in rows(folder, "reading"):
        found = [(one["start"], one["start"] + len(one["text"])) for one in row["answers"] if one["text"].strip()]
        spans = tuple(span for span in found if row["answerable"] and row["context"][slice(*span)].strip())
        if spans or not row["answerable"]:
            heading, source = str(row.get("title") or ""), row["source"]
            yield Reading(row["question"], row["context"], spans, heading, source, not row.get("constructed"))


def our_readings() -> Iterator[Reading]:
    """Questions of our own texts."""
    for row in ours():
        heading, text = f"{row['title']}\n{row['heading']}", row["text"]
        for one in row["questions"]:
            start = text.index(one["a"])
            yield Reading(one["q"], text, ((start, start + len(one["a"])),), heading, "policies", by_hand=True)
        for question in row["unanswerable"]:
            yield Reading(question, text, (), heading, "policies", by_hand=True)


def beside() -> dict[str, list[tuple[str, str]]]:
    """By question, the other sections of its document that are trained on, without its answer: heading and text."""
    documents: dict[str, list[dict[str, Any]]] = {}
    for row in ours():
        documents.setdefault(row["title"], []).append(row)
    found: dict[str, list[tuple[str, str]]] = {}
    for rows_of_one in documents.values():
        texts = [(f"{row['title']}\n{row['heading']}", row["text"]) for row in rows_of_one]
        trained = [one for one in texts if not is_held_out(one[1])]
        for row in rows_of_one:
            for asked in row["questions"]:
                others = [one for one in trained if asked["a"].lower() not in one[1].lower()]
                if others:
                    found[asked["q"]] = others
    return found


def near_misses(folder: Path) -> Iterator[Reading]:
    """Questions that were written for this on texts of the sets."""
    texts = _texts(folder)
    for row in _lines(NEAR_MISSES):
        text = texts[row["of"]]
        for question in row["no"]:
            yield Reading(question, text, (), "", "near_misses", by_hand=True)
        for question, answer in row["yes"]:
            start = text.index(answer)
            yield Reading(question, text, ((start, start + len(answer)),), "", "near_misses", by_hand=True)


def _texts(folder: Path) -> dict[str, str]:
    """The texts of the reading sets by the names that our files give them."""
    texts = (row["context"] for row in rows(folder, "reading"))
    return {hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:KEY]: text for text in texts}


def entailments(folder: Path) -> Iterator[tuple[str, Example]]:
    """Sentences of the sets, each with its source's name."""
    for row in rows(folder, "entailment"):
        if len(row["premise"]) <= LONGEST_PREMISE:
            label = UNSUPPORTED if row["label"] == "not" and row.get("two_way") else LABELS[row["label"]]
            yield row["source"], Example(row["hypothesis"], row["premise"], support=label)


def our_entailments(folder: Path) -> Iterator[tuple[str, Example]]:
    """Sentences on our own texts and, written for this, on texts of the sets, each with its source's name."""
    for row in ours():
        premise = f"{row['title']}\n{row['heading']}\n{row['text']}"
        yield from (("policies", Example(said, premise, support=SUPPORTED)) for said in row["supported"])
        yield from (("policies", Example(one["s"], premise, support=LABELS[one["kind"]])) for one in row["unsupported"])
    texts = _texts(folder)
    for row in _lines(SAID):
        yield from (("said", Example(one, texts[row["of"]], support=SUPPORTED)) for one in row["yes"])
        yield from (("said", Example(one, texts[row["of"]], support=LABELS[kind])) for one, kind in row["no"])


def relevances(folder: Path) -> Iterator[tuple[str, Example]]:
    """Queries of the sets with passages. A sentence of `selqa` answers its question or does not."""
    for row in rows(folder, "relevance"):
        fits = row["relevance"] > 0
        answers = fits if row["source"] == "selqa" else None
        yield row["source"], Example(row["query"], row["passage"], answers=answers, fits=fits)


def is_held_out(text: str) -> bool:
    """By the text alone, so that all questions on it go together."""
    return int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8], 16) % HELD_OUT == 0


class Evaluation:
    """What the evaluation sets say, to tell texts that were copied from them."""

    def __init__(self, data: Path) -> None:
        self._shingles: set[int] = set()
        for name in EVALUATION:
            for file in sorted((data / name).glob("*.jsonl")):
                for line in file.read_text(encoding="utf-8").splitlines():
                    self._add(json.loads(line))

    def has(self, text: str) -> bool:
        """Whether a good part of it stands in an evaluation set."""
        made = list(_shingles(text))
        return bool(made) and sum(one in self._shingles for one in made) > COPIED * len(made)

    def _add(self, value: object) -> None:
        if isinstance(value, str):
            self._shingles.update(_shingles(value))
        elif isinstance(value, dict):
            for one in value.values():
                self._add(one)
        elif isinstance(value, list):
            for one in value:
                self._add(one)


def _shingles(text: str) -> Iterator[int]:
    words = re.findall(r"\w+", text.lower())
    for at in range(len(words) - SHINGLE + 1):
        yield hash(tuple(words[at : at + SHINGLE]))
