"""Fits how the reading model's say and the rules' go together, on texts that the packaged reader was not trained on.

    python -m research.calibration.reader [--cache FOLDER] [--reader NAME]

These are the sections of its own texts that were held out, searched in small collections. Prints `OF_RULES` and the
weights of the order in `agent.relevance.reading`, and what each threshold of `AGENT_READER_THRESHOLD` would tell.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog
from benchmarks.reading.models import Judgements, LocalReader, open_reader

from agent.answering.judgement import judge
from agent.answering.reading import readings_of
from agent.relevance.evidence import Evidence
from agent.relevance.reading import OF_RULES, WindowReading, logit, order_features
from agent.settings import AgentSettings
from contracts.retrieval.search import Hit
from research.calibration.data import Case, Embedder, normal, sections
from research.calibration.fits import auc, fit_choice, fit_logistic, right_among
from research.reader.sources import is_held_out, ours

EACH = 100
"""Questions of a section: all."""
THRESHOLDS = (0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6)


@dataclass(frozen=True)
class Told:
    """What one question's hits tell: log odds by the rules and the reader, and for the order of the passages the
    features and which have the answer. `by_hand`: no section was taken away for it."""

    rules: float
    reader: float
    answerable: bool
    by_hand: bool
    features: np.ndarray
    right: list[bool]


async def tell(cases: Iterator[Case], embed: Embedder, reader: LocalReader) -> list[Told]:
    """Each question once as it is, and, if it has an answer, once without the section that holds it."""
    judgements = Judgements(embed)
    told = []
    for case in cases:
        told.append(await _told(case, case.hits, bool(case.answers), judgements, reader))
        if case.without:
            told.append(await _told(case, case.without, False, judgements, reader))
    return told


async def _told(case: Case, hits: Sequence[Hit], answerable: bool, judgements: Judgements, reader: LocalReader) -> Told:
    state = await judge({"standalone": case.question, "hits": list(hits)}, judgements.context(None))
    evidence: Evidence = state["evidence"]
    readings: list[WindowReading] = await readings_of(evidence, judgements.context(reader))
    right = [
        answerable and normal(case.answers[0]) in normal(one.passage.text) and one.passage.unit.kind != "heading"
        for one in evidence.ranked
    ]
    return Told(
        rules=logit(evidence.chance),
        reader=max((logit(one.answers) for one in readings), default=logit(0.0)),
        answerable=answerable,
        by_hand=answerable or not case.answers,
        features=np.array(order_features(evidence.ranked, readings)) if readings else np.zeros((0, 3)),
        right=right if readings else [],
    )


def report_chances(told: list[Told]) -> Iterator[str]:
    """The rules' weight, what each tells (area under the curve), and what both tell at each threshold."""
    rules, reader = np.array([one.rules for one in told]), np.array([one.reader for one in told])
    yes, by_hand = np.array([one.answerable for one in told]), np.array([one.by_hand for one in told])
    balanced = np.where(yes, 0.5 / yes.mean(), 0.5 / (1 - yes.mean()))
    of_reader, of_rules, _ = fit_logistic(np.column_stack([reader, rules]), yes.astype(float), balanced)
    weight = of_rules / of_reader
    yield f"{yes.sum()} answered, {(~yes).sum()} not; OF_RULES = {weight:.2f} (now {OF_RULES})"
    both = reader + OF_RULES * (rules - logit(AgentSettings().abstain_threshold))
    for name, odds in (("rules", rules), ("reader", reader), ("both", both)):
        yield f"{name}: area under the curve {auc(odds, yes):.3f}"
    yield "threshold: wrongly silent; told of near misses, told of what was taken away; rightly treated"
    for threshold in THRESHOLDS:
        silent = both < logit(threshold)
        shares = [silent[which].mean() for which in (yes, ~yes & by_hand, ~yes & ~by_hand, ~yes)]
        balance = (1 - shares[0] + shares[3]) / 2
        yield f"{threshold:9.2f}: {shares[0]:.2f}; {shares[1]:.2f}, {shares[2]:.2f}; {balance:.3f}"


def report_order(told: list[Told]) -> Iterator[str]:
    """The weights of the order, and how often the answer is among the first passages, by the rules and by both."""
    rows = [(one.features, one.right) for one in told if any(one.right) and not all(one.right)]
    weights = fit_choice(rows)
    yield f"OF_SCORE, OF_WINDOW, HOLDS = {', '.join(f'{weight:.2f}' for weight in weights)}"
    for name, scored in (("rules", [(row[:, 0], right) for row, right in rows]),
                         ("both", [(row @ weights, right) for row, right in rows])):  # fmt: skip
        yield f"{name}: in the first, first two, first three " + ", ".join(
            f"{right_among(scored, count):.3f}" for count in (1, 2, 3)
        )


async def main() -> None:
    """Read, ask, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path(".groundwork/calibration"))
    parser.add_argument("--reader", default="reader", help="a reading model of the models file, or a folder")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    embed = Embedder(chosen.cache / "sections.npz")
    titles = {row["title"] for row in ours() if is_held_out(row["text"])}
    rows = [row for row in ours() if row["title"] in titles]
    async with open_reader(chosen.reader) as reader:
        cases = sections(embed, rows, EACH, lambda row: is_held_out(row["text"]))
        told = await tell(cases, embed, reader)
    embed.save()
    print(*report_chances(told), *report_order(told), sep="\n")


if __name__ == "__main__":
    asyncio.run(main())
