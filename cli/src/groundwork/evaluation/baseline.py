"""An evaluation against an earlier one of the same questions: better, worse, or not to be told apart."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.improvement.correction import SIGNIFICANT, holm
from groundwork.errors import QuestionsInvalid
from groundwork.evaluation.report import Report
from groundwork.evaluation.significance import Comparison, compare


@dataclass(frozen=True, slots=True)
class Verdict:
    """One way to search by one measure, now against then."""

    comparison: Comparison
    p: float
    """With all that is compared beside it taken into account."""

    @property
    def is_worse(self) -> bool:
        """Whether luck is an unlikely reason for a loss."""
        return self.p < SIGNIFICANT and self.comparison.difference < 0

    @property
    def words(self) -> str:
        """`hybrid: worse: -0.060 [-0.100, -0.020] nDCG@10, p 0.004, 20 questions`."""
        one = self.comparison
        count = one.wins + one.ties + one.losses
        verdict = "no difference that luck would not make"
        if self.p < SIGNIFICANT:
            verdict = "worse" if one.difference < 0 else "better"
        figures = f"{one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}] {one.measure}, p {self.p:.2g}"
        return f"{one.first}: {verdict}: {figures}, {count} questions"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What an earlier `--json` says: figures by way, measure and question, and the words of each question."""

    file: Path
    queries: Mapping[str, str]
    values: Mapping[str, Mapping[str, Mapping[str, float]]]
    digest: str | None = None
    """Of the version of a question set that was asked, if it was one."""

    def check_version(self, digest: str | None) -> None:
        """Raises `QuestionsInvalid` where both asked question sets, and other questions."""
        if None not in (digest, self.digest) and digest != self.digest:
            raise QuestionsInvalid(
                f"{self.file.name} asked another version of the question set, and a gate would compare only a part. "
                "Ask the version that it names (set:NAME@N), or make a new baseline of this one."
            )

    def shared(self, report: Report) -> list[str]:
        """The questions that both ask, in the same words."""
        return [question.id for question in report.questions if self.queries.get(question.id) == question.text]

    def verdicts(self, report: Report, measures: Sequence[str]) -> list[Verdict]:
        """Of each way that both have, over the questions that both ask; raises `QuestionsInvalid` where there are none,
        or one of the measures is not in both."""
        asked = self.shared(report)
        if not asked:
            raise QuestionsInvalid(f"{self.file.name} asks none of these questions, so there is nothing to compare.")
        compared = list(self._compared(report, asked, measures))
        return [Verdict(one, p) for one, p in zip(compared, holm([each.p for each in compared]), strict=True)]

    def _compared(self, report: Report, asked: Sequence[str], measures: Sequence[str]) -> Iterator[Comparison]:
        ways = [name for name in report.results if name in self.values]
        for measure in dict.fromkeys(measures):
            both = [name for name in ways if measure in self.values[name] and measure in report.results[name].values]
            if not both:
                raise QuestionsInvalid(
                    f"No way to search has the measure '{measure}' here and in {self.file.name}. Here are: "
                    f"{', '.join(report.measures)}."
                )
            for name in both:
                now, then = report.results[name].values[measure], self.values[name][measure]
                yield compare(name, "then", measure, {each: now[each] for each in asked if each in then}, then)


def read_baseline(file: Path) -> Baseline:
    """The result of an earlier evaluation; raises `QuestionsInvalid` for what is none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        questions, asked = content["by_question"], content.get("question_set") or {}
        queries = {str(one["id"]): str(one["query"]) for one in questions}
        return Baseline(file, queries, _by_measure(questions), asked.get("digest"))
    except OSError as error:
        raise QuestionsInvalid(f"{file} can't be read: {error.strerror or error}.") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise QuestionsInvalid(f"{file} is not what `groundwork eval --json` writes.") from None


def _by_measure(questions: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    values: dict[str, dict[str, dict[str, float]]] = {}
    for one in questions:
        for way, figures in one["ways"].items():
            for measure, value in figures.items():
                if isinstance(value, int | float):
                    values.setdefault(way, {}).setdefault(measure, {})[str(one["id"])] = float(value)
    return values
