"""What standard benchmarks say of a model: means with intervals, and each task's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from groundwork.evaluation.benchmarks.scores import Method, Scored
from groundwork.evaluation.benchmarks.tasks import TaskFile
from groundwork.evaluation.significance import interval


@dataclass(frozen=True, slots=True)
class MeasureMean:
    """A mean over the tasks that have the measure, and its 95 % confidence interval."""

    value: float
    low: float
    high: float
    tasks: int


@dataclass(frozen=True, slots=True)
class BenchmarkReport:
    """One file asked of one model."""

    file: TaskFile
    method: Method
    scored: Sequence[Scored]
    means: dict[str, MeasureMean]

    @property
    def failed(self) -> list[Scored]:
        """Tasks that the model refused."""
        return [one for one in self.scored if one.error is not None]

    def as_json(self) -> dict[str, Any]:
        """Everything, task by task."""
        return {
            "name": self.file.name,
            "digest": self.file.digest,
            "kind": "multiple_choice" if self.file.is_choice else "generation",
            "asked": {name: value for name, value in asdict(self.method).items() if name != "model"},
            "means": {measure: asdict(mean) for measure, mean in self.means.items()},
            "by_task": [_shown(one) for one in self.scored],
        }


def make_report(file: TaskFile, method: Method, scored: Sequence[Scored]) -> BenchmarkReport:
    """The figures of what came of a file's tasks."""
    names = dict.fromkeys(name for one in scored for name in one.figures)
    means = {}
    for name in names:
        values = [one.figures[name] for one in scored if name in one.figures]
        low, high = interval(np.array(values))
        means[name] = MeasureMean(sum(values) / len(values), low, high, len(values))
    return BenchmarkReport(file, method, scored, means)


def _shown(one: Scored) -> dict[str, Any]:
    right = [one.task.choices[at] for at in one.task.gold] if one.task.choices else list(one.task.answers)
    shown: dict[str, Any] = {"id": one.task.id, "right": right, "answer": one.answer, **one.figures}
    if one.loglikelihoods:
        shown["loglikelihoods"] = [round(each, 6) for each in one.loglikelihoods]
    return shown if one.error is None else {**shown, "error": one.error}
