"""Whether a measure has fallen: its window against the days before, or against a number, at any look."""

from __future__ import annotations

from datetime import datetime

from contracts.improvement.monitors import MonitorCreate, MonitorFall, MonitorFigure
from contracts.models.experiments import BETTER_HIGH, SHARES, JudgedMetric
from gateway.experiments.figures import VariantSums
from gateway.experiments.sequential import difference, distance_from, estimate
from gateway.monitors.figures import Windows


def figure_of(spec: MonitorCreate, metric: JudgedMetric, now: VariantSums, before: VariantSums) -> MonitorFigure:
    """A measure of the window's answers, and whether it has fallen."""
    mine, baseline, worst = now.of(metric), before.of(metric), spec.metrics[metric]
    is_share = metric in SHARES
    if worst is None:
        found, expected = difference(mine, baseline, is_share=is_share), baseline.mean
    else:
        found, expected = distance_from(mine, worst, is_share=is_share), worst
    between = estimate(mine, is_share=is_share)
    is_worse = found is not None and found.value != 0 and (found.value < 0) == (metric in BETTER_HIGH)
    has_fallen = found is not None and is_worse and found.p <= spec.p
    return MonitorFigure(
        answers=round(mine.n),
        people=mine.units,
        value=mine.mean,
        low=between and between.low,
        high=between and between.high,
        expected=expected,
        baseline_people=baseline.units if worst is None else None,
        p=found and found.p,
        state="waiting" if found is None else "fallen" if has_fallen else "steady",
    )


def falls_after(
    falls: list[MonitorFall], figures: dict[JudgedMetric, MonitorFigure], windows: Windows, now: datetime
) -> list[MonitorFall]:
    """The falls that stand after a look: those that were found, and those of which no whole window was without them. A
    fall that goes on keeps what was found first."""
    standing = {fall.metric: fall for fall in falls if fall.window >= windows.start - windows.length}
    for metric, figure in figures.items():
        if figure.state != "fallen" or figure.value is None or figure.expected is None or figure.p is None:
            continue
        first = standing.get(metric)
        standing[metric] = (
            MonitorFall(
                metric=metric, value=figure.value, expected=figure.expected, p=figure.p, at=now, window=windows.start
            )
            if first is None
            else first.model_copy(update={"window": windows.start})
        )
    return [standing[metric] for metric in figures if metric in standing]
