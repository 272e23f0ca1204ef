from __future__ import annotations

from collections.abc import Collection

import pytest

from contracts.improvement.question_sets import QuestionRecord
from lab.tuning.gates.parity import MOST_ASKED, Agreement, Said, ask_both, draw_asked, parity_gate, parity_of

QUESTIONS = [QuestionRecord(id=f"q{n}", question=f"What is {n}?") for n in range(80)]


def agreement(base: float, tuned: float, count: int = 50) -> Agreement:
    """Shares about these, by question."""
    figures = [{f"q{n}": share + (n % 2 - 0.5) / 50 for n in range(count)} for share in (base, tuned)]
    return Agreement(*figures)


@pytest.mark.parametrize(
    ("base", "tuned", "count", "passes"),
    [
        (0.95, 0.95, 50, True),
        (0.95, 0.97, 50, True),
        (0.95, 0.92, 50, True),
        (0.95, 0.8, 50, False),
        (0.95, 0.8, 6, False),
        (0.5, 0.5, 50, False),
    ],
)
def test_what_is_significantly_below_its_base_or_far_from_the_trainer_is_refused_and_the_shares_are_told(
    base: float, tuned: float, count: int, *, passes: bool
) -> None:
    found = parity_of(agreement(base, tuned, count))
    assert found["parity_failed"] is not passes
    assert found["parity"].startswith("passed: " if passes else "failed: ")
    assert f"{base:.1%} of the base's" in found["parity"]
    why = parity_gate(found, is_checked=True)
    assert (why is None) == passes
    assert why is None or (why.code, found["parity"] in why.message) == ("parity_failed", True)


def test_a_difference_that_luck_would_make_passes() -> None:
    base = {f"q{n}": 0.95 for n in range(50)}
    tuned = {name: 0.95 + (0.05 if n % 2 else -0.06) for n, name in enumerate(base)}
    assert not parity_of(Agreement(base, tuned))["parity_failed"]


def test_a_method_without_the_check_is_not_held_to_it() -> None:
    assert parity_gate({}, is_checked=False) is None


def test_what_was_never_looked_at_has_not_passed() -> None:
    why = parity_gate({}, is_checked=True)
    assert why is not None
    assert why.code == "parity_unknown"


def test_the_same_few_questions_are_drawn_for_a_seed() -> None:
    every = {one.id for one in QUESTIONS}

    def drawn(seed: int, order: int = 1, measured: Collection[str] = every) -> list[str]:
        return [one.id for one in draw_asked(QUESTIONS[::order], measured, seed)]

    assert drawn(7) == drawn(7, -1) != drawn(8)
    assert len(set(drawn(7))) == MOST_ASKED
    assert sorted(drawn(7, measured=("q1", "q3"))) == ["q1", "q3"]


async def test_both_models_are_asked_the_same_one_after_another() -> None:
    order: list[str] = []

    async def ask(model: str, question: QuestionRecord) -> Said:
        order.append(f"{model} {question.id}")
        return Said(question, model, is_whole=True)

    base, tuned = await ask_both(ask, ("m", "m+s"), QUESTIONS[:2])
    assert order == ["m q0", "m q1", "m+s q0", "m+s q1"]
    assert ([one.text for one in base], [one.text for one in tuned]) == (["m"] * 2, ["m+s"] * 2)
