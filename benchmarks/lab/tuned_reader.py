"""What a reading model gains where it is corrected by questions about a set of pages, people's or made from them.

Usage: make bench-tuned-reader DATA=folder [PART=manual/] [PEOPLE=676] [MADE=520]

DATA    folder of sets; retrieval/ohr_bench of it is used
PART    the beginning of its pages' ids that are a collection
PEOPLE  of its questions, drawn by chance
MADE    questions that are made from the pages, by the lab's forms and as gaps in sentences

Each question's best windows by BM25 and MiniLM are read by the packaged reader. Learnt are those that were made, judged
by all of people's; then half of people's, judged by the other half. docs/decisions/appendix/0812-tuned-reader.md has
the terms.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.home import write_result
from benchmarks.reading.models import open_reader
from benchmarks.retriever.embeddings import open_engines
from inference.protocol.engines import FeatureReading
from lab.evaluations.comparison import compare
from lab.generation.rules import question_of
from lab.generation.spans import spans_of
from lab.questions.likeness import words_of
from lab.training.frozen.correction import Read, firsts, learn, separation
from lab.tuning.methods.reading import AUTO_L2, STEPS

WINDOW, FOUND, NEAR, RRF = 600, 6, 100, 5
K1, B = 1.2, 0.75
KEPT, MOST_WORDS = 0.55, 9
"""Of a sentence's words that a gap is asked for by: so many, by chance, and at most."""
YES_NO = 0.7
"""Of the evidence's words that a window has which answers with yes or no."""
LITTLE = frozenset((
    "a", "an", "the", "of", "to", "in", "on", "at", "for", "and", "or", "by", "with", "from", "is", "are", "was",
    "were", "be", "been", "this", "that", "these", "those", "it", "its", "as", "if", "your", "you", "can", "may",
    "will", "must", "should", "not", "into", "than", "then",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the page that answers, and the words that a window of it has which does."""

    question: str
    page: str
    words: tuple[str, ...]
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """Of a page."""

    page: str
    text: str


def windows_of(page: str, text: str) -> Iterator[Window]:
    """Paragraphs and sentences together, as far as they fit, under the document's name."""
    name = page.partition("/")[2].partition("#")[0].replace("_", " ")
    pieces, held = re.split(r"(?<=\n)\s*\n|(?<=[.!?])\s+", text), ""
    for piece in [*pieces, ""]:
        if held and (not piece or len(held) + len(piece) > WINDOW):
            yield from (Window(page, f"{name}\n{held[at : at + WINDOW]}") for at in range(0, len(held), WINDOW))
            held = ""
        held = f"{held} {piece.strip()}".strip()


def people(folder: Path, part: str, count: int) -> list[Asked]:
    """The set's own."""
    found = []
    for one in map(json.loads, (folder / "qa.jsonl").read_text(encoding="utf-8").splitlines()):
        if one["doc"].startswith(part):
            is_yes_no = one["answer_form"] == "Yes/No"
            said = words_of(one["evidence"] if is_yes_no else one["answers"][0])
            found.append(Asked(one["question"], f"{one['doc']}#{one['pages'][0]}", said, YES_NO if is_yes_no else 1.0))
    random.Random(1).shuffle(found)
    return found[:count]


def made(pages: dict[str, str], count: int) -> list[Asked]:
    """Half by the lab's forms, half as gaps: of a sentence that tells something, some of the other words."""
    chance = random.Random(7)
    by_form, gaps = dict[str, Asked](), list[Asked]()
    for page, text in pages.items():
        spans = spans_of(text)
        for span in spans:
            form = question_of(span, text)
            if form is not None:
                by_form.setdefault(form.question, Asked(form.question, page, words_of(form.answer)))
        open_ones = [one for one in spans if one.key and not one.row and not one.term and "$" not in one.text]
        if open_ones:
            span = chance.choice(open_ones)
            others = [word.strip(".,;:()").lower() for word in span.text.replace(span.key or "", " ").split()]
            kept = [word for word in others if word and word not in LITTLE and chance.random() < KEPT][:MOST_WORDS]
            asks = "How many" if re.search(r"\d.*[a-z]", span.key or "") else "What"
            gaps.append(Asked(f"{asks} {' '.join(kept)}?", page, words_of(span.text)))
    some = list(by_form.values())
    chance.shuffle(some)
    chance.shuffle(gaps)
    return [*some[: count // 2], *gaps[: count - count // 2]]


class Words:
    """BM25 over windows."""

    def __init__(self, texts: Sequence[str]) -> None:
        counted = [Counter(re.findall(r"\w+", text.lower())) for text in texts]
        self._lengths = np.array([one.total() for one in counted], dtype=float)
        self._places: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, one in enumerate(counted):
            for word, count in one.items():
                self._places[word].append((number, count))

    def scores(self, question: str) -> np.ndarray[Any, Any]:
        """Of each window."""
        total, held = np.zeros(len(self._lengths)), K1 * (1 - B + B * self._lengths / self._lengths.mean())
        for word in set(re.findall(r"\w+", question.lower())):
            places = self._places.get(word, [])
            rare = math.log(1 + (len(total) - len(places) + 0.5) / (len(places) + 0.5))
            for number, count in places:
                total[number] += rare * count * (K1 + 1) / (count + held[number])
        return total


def best(by_words: np.ndarray[Any, Any], by_meaning: np.ndarray[Any, Any]) -> list[int]:
    """Windows by both ranks."""
    scores: dict[int, float] = defaultdict(float)
    for ranked in (by_words, by_meaning):
        for rank, number in enumerate(np.argsort(-ranked, kind="stable")[:NEAR]):
            scores[int(number)] += 1 / (RRF + rank + 1)
    return sorted(scores, key=lambda number: -scores[number])[:FOUND]


def answers(asked: Asked, window: Window) -> bool:
    """By its page and its words."""
    if window.page != asked.page:
        return False
    said = words_of(window.text)
    if asked.share == 1.0:
        return f" {' '.join(asked.words)} " in f" {' '.join(said)} "
    return len(set(asked.words) & set(said)) >= asked.share * len(set(asked.words))


async def read(every: Sequence[Asked], windows: Sequence[Window]) -> Read:
    """What the reader sees in each question's windows."""
    texts = [one.text for one in windows]
    async with open_engines() as engines:
        embed, asks = engines.embedder.embed, [one.question for one in every]
        parts = [(await embed("", texts[at : at + 64], "bulk", "")).vectors for at in range(0, len(texts), 64)]
        rows = np.array([row for part in parts for row in part])
        asked = np.array((await embed("", asks, "query", "")).vectors)
    by_words, odds, features, right, numbers = Words(texts), list[Any](), list[Any](), list[bool](), list[int]()
    async with open_reader("reader") as reader:
        engine = reader.served.ready()
        assert isinstance(engine, FeatureReading)
        for number, one in enumerate(every):
            chosen = best(by_words.scores(one.question), rows @ asked[number])
            found = await engine.read_features(one.question, [texts[at] for at in chosen], "bulk")
            chances = np.clip([each.answers for each in found.result.readings], 1e-6, 1 - 1e-6)
            odds.append(np.log(chances / (1 - chances)))
            features.append(found.features.astype(np.float64))
            right += [answers(one, windows[at]) for at in chosen]
            numbers += [number] * len(chosen)
    return Read(np.concatenate(odds), np.concatenate(features), np.array(right), np.array(numbers))


def judge(read: Read, learnt: Sequence[int], judged: Sequence[int]) -> dict[str, Any]:
    """By those that have a window that answers, as a job leaves the others out."""
    known = set(read.questions[read.answers].tolist())
    held_out = read.of([one for one in judged if one in known])
    correction = learn(read.of([one for one in learnt if one in known]), AUTO_L2, STEPS)
    after = correction.corrected(held_out)
    values = [{str(at): one for at, one in enumerate(separation(odds, held_out)[0])} for odds in (after, held_out.odds)]
    difference = compare("auc", values[0], values[1])
    return {
        "auc": [round(separation(odds, held_out)[1], 4) for odds in (held_out.odds, after)],
        "first": [round(firsts(odds, held_out), 3) for odds in (held_out.odds, after)],
        "verdict": None if difference is None else difference.words,
    }


def main() -> None:
    """Measure, print, keep."""
    folder, part = Path(os.environ["DATA"]) / "retrieval" / "ohr_bench", os.environ.get("PART", "manual/")
    lines = map(json.loads, (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines())
    pages = {one["_id"]: one["text"] for one in lines if one["_id"].startswith(part)}
    asked = people(folder, part, int(os.environ.get("PEOPLE", "676")))
    every = [*asked, *made(pages, int(os.environ.get("MADE", "520")))]
    found = asyncio.run(read(every, [one for page, text in pages.items() for one in windows_of(page, text)]))
    own, generated, half = range(len(asked)), range(len(asked), len(every)), len(asked) // 2
    result = {
        "made, judged by people's": judge(found, generated, own),
        "half of people's, judged by the other": judge(found, own[:half], own[half:]),
    }
    print(json.dumps(result, indent=2))
    write_result("tuned_reader", result)


if __name__ == "__main__":
    main()
