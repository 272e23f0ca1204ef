from __future__ import annotations

from lab.tuning.gates.general import packaged_questions


def test_the_packaged_set_is_large_enough_to_tell_a_difference_and_asks_nothing_twice() -> None:
    questions = packaged_questions()
    assert len(questions) == len({one.question for one in questions}) == len({one.id for one in questions}) >= 30
    assert all(one.answers for one in questions)
