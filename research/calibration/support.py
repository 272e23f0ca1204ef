"""How strict must wording and likeness be for a span to support a sentence? Prints the curve and draws it.

    python -m research.calibration.support DATA [--cache FOLDER] [--plot FILE.svg]

Sentences are public questions with their answer put in place of the question word: worded by other people than the
source. True is the pair of such a sentence with the source's sentence that holds the answer; false the pairs with the
three most similar sentences that don't hold it, and of the question with another question's answer in it.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent.grounding.agreement import agrees
from agent.grounding.support import HELD, MIN_HELD, MIN_STRENGTH, wording_held
from agent.relevance.lexicon import Lexicon, wording
from agent.relevance.passages import Passage, passages
from agent.text.words import form_set
from research.calibration.curves import Curve, Plot, draw
from research.calibration.data import Embedder, chunks_of, lines

THRESHOLDS = tuple(round(0.4 + 0.025 * step, 3) for step in range(25))
OTHERS = 3
_ASKED = re.compile(
    r"\b(?:(?:in|at|on|to|from|by|for|of|during) )?(?:what|which)(?: (?:year|country|city|type|kind|century|date|person"
    r"|language|name|percentage|number|are|is|was|were|did|do|does|would|can)\b)?|\bwho(?:m|se)?\b|\bwhen\b|\bwhere\b"
    r"|\bhow (?:many|much|long|far|often|old|large|big)\b|\bwhy\b|\bhow\b",
    re.IGNORECASE,
)
_RUNNING = ("sentence", "item")


@dataclass(frozen=True)
class Pair:
    """A sentence and a passage: whether it is true, and what is measured of it."""

    kind: str
    agree: bool
    held: float
    """The share of the words that the passage has, in these or other words."""
    strength: float

    def accepted(self, threshold: float, facts: bool = True) -> bool:
        """Whether the passage would support the sentence; without `facts` by wording and likeness alone."""
        return self.strength >= MIN_STRENGTH and self.held >= threshold and (self.agree or not facts)


class Pairing:
    """Makes the pairs of one set."""

    def __init__(self, embed: Embedder) -> None:
        self._embed = embed
        self._lexicon = Lexicon(1_000_000)
        self._chance = random.Random(5)

    def pairs(self, corpus: Sequence[dict[str, Any]], asked: Sequence[dict[str, Any]], most: int) -> Iterator[Pair]:
        """True and false pairs of a set."""
        found = [
            passage
            for row in corpus
            for hit in chunks_of("set", str(row["_id"]), row["title"], row["text"])
            for passage in passages([hit])
            if passage.unit.kind in _RUNNING and len(passage.text) > 25
        ]
        vectors = self._embed([passage.embedded_text for passage in found])
        rows = list(asked)
        self._chance.shuffle(rows)
        for row in rows[:most]:
            answer, document = row["answers"][0], str(row["context_id"])
            sentence = stated(row["question"], answer)
            near = vectors @ self._embed([sentence])[0]
            holding = [at for at, one in enumerate(found) if _holds(one, answer, document)]
            if not holding:
                continue
            yield self._pair("true", sentence, found[max(holding, key=near.__getitem__)])
            without = (int(at) for at in np.argsort(-near)[:40] if not _holds(found[at], answer))
            for at in [at for at, _ in zip(without, range(OTHERS), strict=False)]:
                yield self._pair("other sentence", sentence, found[at])
            yield from self._swapped(row, rows, found, document)

    def _swapped(
        self, row: dict[str, Any], rows: Sequence[dict[str, Any]], found: Sequence[Passage], document: str
    ) -> Iterator[Pair]:
        own = row["answers"][0].lower()
        others = [
            other["answers"][0]
            for other in rows
            if str(other["context_id"]) == document
            and own not in other["answers"][0].lower()
            and other["answers"][0].lower() not in own
        ]
        if others:
            sentence = stated(row["question"], self._chance.choice(others))
            vector = self._embed([sentence])[0]
            beside = [one for one in found if one.hit.document_id == document]
            vectors = self._embed([one.embedded_text for one in beside])
            yield self._pair("other answer", sentence, beside[int(np.argmax(vectors @ vector))])

    def _pair(self, kind: str, sentence: str, passage: Passage) -> Pair:
        words = self._lexicon.unknown(sorted(wording(sentence) | wording(passage.in_context)))
        if words:
            self._lexicon.learn(words, list(self._embed(words)))
        vectors = self._embed([sentence, passage.embedded_text])
        shares = wording_held(sentence, passage.in_context, self._lexicon)
        touches = not form_set(sentence).isdisjoint(passage.forms)
        held = sum(share >= HELD for share in shares) / len(shares)
        strength = (sum(shares) / len(shares) + float(vectors[0] @ vectors[1])) / 2
        return Pair(kind, touches and agrees(sentence, passage.text, passage.context), held, strength)


def stated(question: str, answer: str) -> str:
    """The question with the answer where it asks."""
    return _ASKED.sub(lambda _: answer, question.rstrip("? "), count=1) + "."


def _holds(passage: Passage, answer: str, document: str | None = None) -> bool:
    return answer.lower() in passage.text.lower() and document in (None, passage.hit.document_id)


def _rate(pairs: Sequence[Pair], kind: str, threshold: float, facts: bool = True) -> float:
    chosen = [pair for pair in pairs if pair.kind == kind]
    return sum(pair.accepted(threshold, facts) for pair in chosen) / max(1, len(chosen))


def show(name: str, pairs: Sequence[Pair]) -> None:
    """Print the curve of a set."""
    kinds = {kind: sum(pair.kind == kind for pair in pairs) for kind in ("true", "other sentence", "other answer")}
    print(f"\n{name}: {kinds}; accepted, in percent, with the facts checked / by wording and likeness alone")
    print("  threshold       " + "".join(f"{threshold:>12}" for threshold in THRESHOLDS[::2]))
    for kind in kinds:
        cells = (
            f"{100 * _rate(pairs, kind, at):5.1f} /{100 * _rate(pairs, kind, at, facts=False):5.1f}"
            for at in THRESHOLDS[::2]
        )
        print(f"  {kind:15}" + " ".join(cells))


def plotted(pairs: Sequence[Pair]) -> str:
    """The picture: true ones that are accepted, and false ones, with and without the facts."""
    curves = [
        Curve(f"{kind}{', by wording alone' if not facts else ''}",
              [(at, _rate(pairs, kind, at, facts)) for at in THRESHOLDS], number, dashed=not facts)
        for number, kind in enumerate(("true", "other sentence", "other answer"))
        for facts in (True, False)
    ]  # fmt: skip
    below = "SQuAD 2 part: sentences worded by others, beside the span that says so and spans that do not"
    plot = Plot(
        "When does a span support a sentence?", below, "share of the words that the span must have (MIN_HELD)", MIN_HELD
    )
    return draw(plot, curves)


def main() -> None:
    """Make the pairs, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".groundwork/calibration"))
    parser.add_argument("--plot", type=Path)
    chosen = parser.parse_args()
    embed = Embedder(chosen.cache / "vec.npz")
    pairing = Pairing(embed)
    folder = chosen.data / "qa"
    squad = [row for row in lines(folder / "squad2_part/qa.jsonl") if row["answers"]]
    policies = [row for row in lines(folder / "policyqa/dev_qa.jsonl") if 2 <= len(row["answers"][0].split()) <= 12]
    first = list(pairing.pairs(list(lines(folder / "squad2_part/corpus.jsonl")), squad, 400))
    show("squad2", first)
    show("policyqa", list(pairing.pairs(list(lines(folder / "policyqa/dev_contexts.jsonl")), policies, 300)))
    embed.save()
    if chosen.plot:
        chosen.plot.write_text(plotted(first))


if __name__ == "__main__":
    main()
