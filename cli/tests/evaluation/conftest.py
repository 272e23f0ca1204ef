from __future__ import annotations

import pytest

from groundwork.evaluation.questions import Question
from groundwork.evaluation.report import Report, make_report
from groundwork.evaluation.searches import Found

QUESTIONS = [Question(f"q{number}", f"what is {number}?", {f"d{number}": 1}, "file, line 1") for number in range(12)]


@pytest.fixture
def report() -> Report:
    hybrid, sparse = Found(), Found()
    for number, question in enumerate(QUESTIONS):
        for found, ranking in ((hybrid, [f"d{number}"]), (sparse, ["x", f"d{number}"] if number < 9 else ["x"])):
            found.rankings[question.id] = ranking
            found.milliseconds[question.id] = 10.0 + number
    return make_report("c <&> d", QUESTIONS, 3, {"hybrid": hybrid, "sparse": sparse}, (5, 20))
