from __future__ import annotations

from contracts.operations.question_sets import GENERATE_QUESTIONS
from contracts.operations.tuning import CREATE_FINE_TUNING_JOB


def test_what_takes_hours_or_money_can_be_sent_twice_and_is_begun_once() -> None:
    assert (GENERATE_QUESTIONS.idempotent, CREATE_FINE_TUNING_JOB.idempotent) == (True, True)
