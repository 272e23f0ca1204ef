"""Fits the passage ranking and the abstention of the agent on public question sets, and prints what they reach.

    python -m research.calibration.answers DATA [--cache FOLDER] [--plot FILE.svg]

Every set is judged by a fit on the other sets, so that the figures are those of unseen questions; the weights printed
last are fitted on all of them and are copied into `agent.relevance.ranking` and `agent.relevance.evidence`. Vectors are
kept in the cache.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np

from agent.answering.judgement import first_ranking, unknown_words
from agent.questions.question import Question
from agent.relevance.evidence import EVIDENCE_FEATURES, evidence_features
from agent.relevance.lexicon import Lexicon, term_shares, weighted_mean
from agent.relevance.passages import passages
from agent.relevance.ranking import FEATURES, RECONSIDERED, Scored, preselect, reconsider, term_weights
from agent.settings import AgentSettings
from contracts.retrieval.search import Hit
from research.calibration.curves import Curve, Plot, draw
from research.calibration.data import Case, Embedder, chroma, ohr, sections, squad2, xquad
from research.calibration.fits import auc, fit_choice, fit_logistic, right_among
from research.reader.sources import ours

COMPARED = 48
THRESHOLDS = (0.1, 0.15, 0.2, 0.24, 0.3, 0.35, 0.4, 0.5, 0.6)
HARD_SET_WEIGHT = 0.4
"""Of squad2, whose unanswerable questions were written to look answerable from the very paragraph."""


@dataclass
class Seen:
    """What was computed for one question with one set of hits."""

    dataset: str
    answerable: bool
    ranked: list[Scored]
    right: list[bool]
    soft: list[float]
    evidence: tuple[float, ...]
    first: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.first = np.array([one.features for one in self.ranked])


class Looking:
    """Looks at questions as the agent does."""

    def __init__(self, embed: Embedder) -> None:
        self._embed = embed
        self._lexicon = Lexicon(1_000_000)

    def ranked(self, question: Question, hits: Sequence[Hit]) -> list[Scored]:
        """The passages of the hits, best first, with the words learned."""
        found = passages(hits)
        compared = preselect(question, found, term_weights(question.terms, found), COMPARED)
        vectors = list(self._embed([question.text, *(passage.embedded_text for passage in compared)]))
        ranked = first_ranking(question, compared, vectors)
        words = unknown_words(question, ranked, self._lexicon)
        if words:
            self._lexicon.learn(words, list(self._embed(words)))
        return ranked

    def look(self, case: Case, hits: Sequence[Hit], answerable: bool) -> Seen:
        """All that the fits need of one question."""
        question = Question(case.question)
        ranked = self.ranked(question, hits)
        weights = term_weights(question.terms, [one.passage for one in ranked])
        soft = [
            weighted_mean(question.terms, weights, term_shares(question.terms, one.passage.in_context, self._lexicon))
            for one in ranked[:RECONSIDERED]
        ]
        final = reconsider(question, ranked, self._lexicon)
        right = [answerable and _is_right(case, one) for one in ranked]
        return Seen(case.dataset, answerable, ranked, right, soft, evidence_features(question, final, self._lexicon))


def _is_right(case: Case, scored: Scored) -> bool:
    passage = scored.passage
    return passage.unit.kind != "heading" and case.holds(passage.hit, passage.text)


def look_at_all(data: Path, embed: Embedder) -> Iterator[Seen]:
    """Each answerable question with and without its answer among the hits; each unanswerable one as it is."""
    looking = Looking(embed)
    own = sections(embed, list(ours()), 1, lambda _: True)
    sets = (own, squad2(data, embed), xquad(data, embed, 300), ohr(data, embed, 60, 500), chroma(data, embed))
    for at, case in enumerate(
        chain.from_iterable(islice(cases, 0, None, step) for cases, step in zip(sets, (1, 2, 2, 1, 2), strict=True))
    ):
        found = any(case.holds(hit, hit.text) for hit in case.hits)
        if case.hits and (found or not case.answers):
            yield looking.look(case, case.hits, bool(case.answers))
        if case.without and case.answers:
            yield looking.look(case, case.without, answerable=False)
        if at % 100 == 0:
            embed.save()


def fit_ranking(seen: Sequence[Seen]) -> None:
    """How often the best passage, or one of the best two, holds the answer."""
    rows = [one for one in seen if any(one.right) and not all(one.right)]
    print("\nRanking: the answer in the best passage, in the best two (fitted on the other sets)")
    for name in sorted({one.dataset for one in rows}):
        weights = fit_choice([(one.first, one.right) for one in rows if one.dataset != name])
        held_out = [(one.first @ weights, one.right) for one in rows if one.dataset == name]
        print(f"  {name:8} n={len(held_out):4} {right_among(held_out, 1):.3f} {right_among(held_out, 2):.3f}")
    weights = fit_choice([(one.first, one.right) for one in rows])
    print("  ranking.WEIGHTS =", dict(zip(FEATURES, weights.round(2).tolist(), strict=True)))
    again = [
        (np.column_stack([one.first[:RECONSIDERED] @ weights, one.soft]), one.right[:RECONSIDERED])
        for one in rows
        if any(one.right[:RECONSIDERED])
    ]
    both = fit_choice(again)
    print(f"  ranking.SOFT_WEIGHT = {both[1] / both[0]:.2f}")


def fit_evidence(seen: Sequence[Seen]) -> list[Curve]:
    """The abstention curve of each set: answered when it should not, and the reverse."""
    names = np.array([one.dataset for one in seen])
    answerable = np.array([one.answerable for one in seen])
    values = np.array([one.evidence for one in seen])
    weight = _balance(names, answerable)
    print("\nAbstention: area under the curve, then by threshold abstained wrongly / answered wrongly, in percent")
    print("  " + " " * 14 + "".join(f"{threshold:>10}" for threshold in THRESHOLDS))
    curves: list[Curve] = []
    for name in sorted(set(names)):
        inside = names == name
        fitted = fit_logistic(values[~inside], answerable[~inside], weight[~inside])
        chance = _chance(values[inside], fitted)
        _print_curve(name, chance, answerable[inside])
        curves += _curves(name, chance, answerable[inside], len(curves) // 2)
    fitted = fit_logistic(values, answerable, weight)
    _print_curve("all, fitted", _chance(values, fitted), answerable)
    print("  evidence.WEIGHTS =", dict(zip((*EVIDENCE_FEATURES, "bias"), fitted.round(2).tolist(), strict=True)))
    print(f"  by words alone: {auc(-values[:, 2], answerable):.3f}")
    return curves


def _curves(name: str, chance: np.ndarray, answerable: np.ndarray, colour: int) -> list[Curve]:
    steps = [step / 40 for step in range(33)]
    silent = [(step, float((chance[answerable] < step).mean())) for step in steps]
    answered = [(step, float((chance[~answerable] >= step).mean())) for step in steps]
    return [
        Curve(f"{name}: abstains wrongly", silent, colour),
        Curve(f"{name}: answers wrongly", answered, colour, dashed=True),
    ]


def _balance(names: np.ndarray, answerable: np.ndarray) -> np.ndarray:
    """Every set counts the same, and in it both kinds of question."""
    weight = np.ones(len(names))
    for name in set(names):
        for kind in (True, False):
            chosen = (names == name) & (answerable == kind)
            weight[chosen] = (HARD_SET_WEIGHT if name == "squad2" else 1.0) / max(1, chosen.sum())
    return weight / weight.mean()


def _chance(values: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(values @ fitted[:-1] + fitted[-1])))


def _print_curve(name: str, chance: np.ndarray, answerable: np.ndarray) -> None:
    cells = (
        f"{100 * (chance[answerable] < threshold).mean():4.0f} /{100 * (chance[~answerable] >= threshold).mean():4.0f}"
        for threshold in THRESHOLDS
    )
    print(f"  {name:8} {auc(chance, answerable):.3f}" + "".join(cells))


def main() -> None:
    """Read the sets, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".groundwork/calibration"))
    parser.add_argument("--plot", type=Path)
    chosen = parser.parse_args()
    embed = Embedder(chosen.cache / "vec.npz")
    seen = list(look_at_all(chosen.data, embed))
    embed.save()
    fit_ranking(seen)
    curves = fit_evidence(seen)
    if chosen.plot:
        below = "each set judged by a fit on the others; every question with and without the chunks that answer it"
        threshold = AgentSettings().abstain_threshold
        chosen.plot.write_text(draw(Plot("When to abstain", below, "AGENT_ABSTAIN_THRESHOLD", threshold), curves))


if __name__ == "__main__":
    main()
