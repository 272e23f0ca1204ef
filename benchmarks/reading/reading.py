"""`make bench-reading [MODEL=name] [DATA=folder] [EACH=150]`: what tells answerable from not, and supported from not.

The rules of `judge` and `verify` alone, and with each model of MODEL (names of inference's models file, or folders,
with commas between them). Questions: the area under the curve of the chance that `judge` gives, on SQuAD 2 (written to
look answerable), RGB (snippets on the same matter), and XQuAD and OHR, each with and without the sentences that hold
the answer. Sentences: balanced accuracy of what `verify` cites, on QAGS and HaluEval. Intervals (95 %) are bootstrapped
over questions; `reading.svg` among the results has the curves. DATA has the folders `qa`, `retrieval` and `judging`.
Vectors are kept in `.groundwork/calibration`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray
from research.calibration.data import Embedder
from research.calibration.fits import auc

from agent.ports import Reader
from agent.settings import AgentSettings
from benchmarks.home import RESULTS, ROOT, write_result
from benchmarks.reading.models import Judgements, open_reader
from benchmarks.reading.plot import draw
from benchmarks.reading.sets import Asked, Claim, claims, questions

DATA = Path(os.environ.get("DATA") or ROOT.parent / "shared" / "data")
EACH = int(os.environ.get("EACH", "150"))
MODELS = [name for name in os.environ.get("MODEL", "").split(",") if name]
RULES = "rules"
SUPPORTS = (0.3, 0.5, 0.7, 0.9)
"""Chances of support at which a model is measured."""
DRAWS, SEED, SHOWN_EVERY = 1000, 11, 100
Rows = NDArray[np.float64]
Measure = Callable[[Rows, NDArray[np.bool_]], float]


def balanced_accuracy(said: Rows, right: NDArray[np.bool_]) -> float:
    """The mean of the shares that are right of what is true and of what is not."""
    return float((said[right].mean() + 1 - said[~right].mean()) / 2)


class Draws:
    """The same draws of groups with replacement, for every measure of one set."""

    def __init__(self, groups: Sequence[str], right: Sequence[bool]) -> None:
        self._right = np.array(right)
        of_group: dict[str, list[int]] = {}
        for at, group in enumerate(groups):
            of_group.setdefault(group, []).append(at)
        members = [np.array(rows) for rows in of_group.values()]
        chance = np.random.default_rng(SEED)
        drawn = (chance.integers(0, len(members), len(members)) for _ in range(DRAWS))
        every = [np.concatenate([members[at] for at in places]) for places in drawn]
        self._draws = [rows for rows in every if 0 < self._right[rows].sum() < len(rows)]

    def measured(self, measure: Measure, said: Sequence[float]) -> tuple[float, Rows]:
        """The measure of all, and of each draw."""
        values = np.array(said, dtype=float)
        return measure(values, self._right), np.array(
            [measure(values[rows], self._right[rows]) for rows in self._draws]
        )


def figure(value: float, drawn: Rows) -> str:
    """A figure with its interval."""
    low, high = np.percentile(drawn, (2.5, 97.5))
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f})" if low < 0 else f"{value:.3f} ({low:.3f}-{high:.3f})"


def table(title: str, draws: Draws, measure: Measure, said: dict[str, list[float]]) -> dict[str, str]:
    """Print a line for each column of `said`, and how it differs from the rules."""
    base, base_drawn = draws.measured(measure, said[RULES])
    told = {}
    for name, values in said.items():
        value, drawn = draws.measured(measure, values)
        told[name] = figure(value, drawn)
        more = "" if name == RULES else f"   more than the rules: {figure(value - base, drawn - base_drawn)}"
        print(f"  {title:12} {name:24} {told[name]}{more}", flush=True)
    return told


def errors(chances: Sequence[float], right: Sequence[bool], threshold: float) -> str:
    """In percent: of the answerable those that it would abstain on, and of the others."""
    values, is_right = np.array(chances), np.array(right)
    silent, told = (values[is_right] < threshold).mean(), (values[~is_right] < threshold).mean()
    return f"abstains at {threshold}: wrongly {100 * silent:.0f} %, rightly {100 * told:.0f} %"


async def ask(judgements: Judgements, asked: Sequence[Asked], readers: dict[str, Reader]) -> dict[str, dict[str, str]]:
    """The chances of every set."""
    told = {}
    settings = AgentSettings()
    chosen = {RULES: settings.abstain_threshold, **dict.fromkeys(readers, settings.reader_threshold)}
    every: dict[str, dict[str, list[float]]] = {}
    answerable: dict[str, list[bool]] = {}
    print("Answerable or not: area under the curve")
    for name in dict.fromkeys(one.dataset for one in asked):
        of_set = [one for one in asked if one.dataset == name]
        right = answerable[name] = [one.answerable for one in of_set]
        said = every[name] = {RULES: [await judgements.chance(one) for one in of_set]}
        for model, reader in readers.items():
            said[model] = [await judgements.chance(one, reader) for one in of_set]
        print(f"  {name}: {sum(right)} answerable, {len(right) - sum(right)} not")
        told[name] = table(name, Draws([one.question for one in of_set], right), auc, said)
        for model, chances in said.items():
            print(f"  {'':12} {model:24} {errors(chances, right, chosen[model])}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "reading.svg").write_text(draw(every, answerable, chosen), encoding="utf-8")
    return told


async def check(
    judgements: Judgements, claimed: Sequence[Claim], readers: dict[str, Reader]
) -> dict[str, dict[str, str]]:
    """Whether each sentence is supported."""
    told = {}
    print("Supported or not: balanced accuracy")
    for name in dict.fromkeys(one.dataset for one in claimed):
        of_set = [one for one in claimed if one.dataset == name]
        right = [one.supported for one in of_set]
        said = {RULES: [float(await judgements.is_supported(one, 1.0)) for one in of_set]}
        for model, reader in readers.items():
            for least in SUPPORTS:
                found = [await judgements.is_supported(one, least, reader) for one in of_set]
                said[f"{model} from {least}"] = list(map(float, found))
        print(f"  {name}: {sum(right)} supported, {len(right) - sum(right)} not")
        told[name] = table(name, Draws([str(at) for at in range(len(right))], right), balanced_accuracy, said)
        cited = np.array(said[RULES], dtype=bool)
        of_true, of_false = cited[np.array(right)].mean(), cited[~np.array(right)].mean()
        print(f"  {'':12} {RULES:24} cites {of_true:.0%} of the supported, {of_false:.0%} of the others", flush=True)
    return told


async def main() -> None:
    """Read the sets, judge, print."""
    embed = Embedder(ROOT / ".groundwork" / "calibration" / "vec.npz")
    started = time.perf_counter()
    asked, claimed = [], list(claims(DATA, EACH))
    for at, one in enumerate(questions(DATA, embed, EACH)):
        asked.append(one)
        if at % SHOWN_EVERY == 0:
            print(f"{at} questions prepared, {time.perf_counter() - started:.0f} s", flush=True)
    embed.save()
    judgements = Judgements(embed)
    async with AsyncExitStack() as stack:
        readers: dict[str, Reader] = {
            Path(name).name: await stack.enter_async_context(open_reader(name)) for name in MODELS
        }
        result = {
            "answerable": await ask(judgements, asked, readers),
            "supported": await check(judgements, claimed, readers),
        }
    embed.save()
    write_result("reading", {"each": EACH, **result})


if __name__ == "__main__":
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is no folder. Name the one that has qa, retrieval and judging with DATA=…")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(main())
