from __future__ import annotations

from typing import Any

import pytest

from lab.evaluations.comparison import compare
from lab.tuning.gates.quality import general_of, quality_gate

RESULT = {
    "verdict": "better",
    "words": "better: -1 loss",
    "forgotten": False,
    "general": "no difference",
    "general_questions": 40,
}


def row(options: dict[str, Any] | None = None, method: str = "supervised", **result: Any) -> dict[str, Any]:
    return {
        "id": "ftjob_1",
        "method": method,
        "options": {"publish": True} if options is None else options,
        "result": RESULT | result,
    }


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (row(), None),
        (row({}), None),
        (row(method="classification", general=None, general_questions=0), None),
        (row(general=None, general_questions=0), "general_unknown"),
        (row(general_questions=5), "general_unknown"),
        (row(general_questions=6), None),
        (row({"publish": False}), "publish_off"),
        (row(verdict="no difference"), "not_better"),
        (row(verdict=None, words=None), "not_better"),
        (row(verdict="worse"), "not_better"),
        (row(forgotten=True), "worse_in_general"),
    ],
)
def test_what_is_better_and_has_not_forgotten_passes_and_all_else_says_why_and_what_to_do(
    asked: dict[str, Any], code: str | None
) -> None:
    why = quality_gate(asked)
    assert (None if why is None else why.code) == code
    assert why is None or "POST /v1/fine_tuning/jobs/ftjob_1/publish" in why.message


@pytest.mark.parametrize(("after", "forgotten"), [(1.0, False), (0.5, False), (1.05, False), (1.2, True)])
def test_a_little_more_loss_in_general_is_told_and_only_much_more_is_held_against_it(
    after: float, *, forgotten: bool
) -> None:
    before = {f"q{n}": 2.0 + n / 100 for n in range(40)}
    found = general_of(compare("loss", {name: loss * after for name, loss in before.items()}, before))
    assert found["forgotten"] is forgotten
    assert ("allowed" in found["general"]) == (after > 1)
    assert general_of(None) == {"general": None, "general_questions": 0, "forgotten": False}
