"""What a sweep has found: each combination beside what serves, one that is chosen, and whether it is better on
questions that did not choose it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from contracts.improvement.correction import holm
from contracts.improvement.sweeps import FEWEST_QUESTIONS
from lab.evaluations.comparison import SMALLEST_DIFFERENCE, Difference, compare
from lab.evaluations.figures import Measured
from lab.evaluations.rows import SUCCEEDED

Answered = Mapping[str, Measured]
"""What one combination was answered, by question."""
LATENCY = "latency_ms"
MOST_MORE_FAILED = 0.02
"""So many more of the questions may fail, by luck: other figures are of those that did not."""


def differences(one: Answered, served: Answered) -> list[Difference]:
    """Each measure of one combination and of what serves, over the questions that have it in both."""
    names = sorted({name for _, figures in one.values() for name in figures})
    found = [compare(name, _values(one, name), _values(served, name)) for name in names]
    return [each for each in found if each is not None]


def compare_all(served: Answered, others: Mapping[int, Answered]) -> dict[int, list[Difference]]:
    """The same of all others, by number. The p of each measure are read together: who tries many finds something by
    luck (Holm)."""
    found = {number: differences(one, served) for number, one in others.items()}
    for measure in {each.measure for one in found.values() for each in one}:
        places = [
            (number, at) for number, one in found.items() for at, each in enumerate(one) if each.measure == measure
        ]
        adjusted = holm([found[number][at].p for number, at in places])
        for (number, at), p in zip(places, adjusted, strict=True):
            found[number][at] = replace(found[number][at], p=p)
    return found


def why_not(one: Sequence[Difference], measure: str) -> str | None:
    """Why this can't be called better, whatever its figures: they are of the questions that were answered in both."""
    named = {each.measure: each for each in one}
    failed = named.get(SUCCEEDED)
    if failed is not None and (failed.verdict == "worse" or failed.difference < -MOST_MORE_FAILED):
        return f"{-failed.difference:.0%} more of the questions failed"
    if measure not in named or named[measure].questions < FEWEST_QUESTIONS:
        return f"fewer than {FEWEST_QUESTIONS} questions could be compared"
    return None


def left_out(found: Mapping[int, Sequence[Difference]], measure: str) -> dict[int, str]:
    """Those that are not chosen whatever their figures, and why."""
    reasons = {number: why_not(one, measure) for number, one in found.items()}
    return {number: why for number, why in reasons.items() if why is not None}


def choose(found: Mapping[int, Sequence[Difference]], measure: str, without: Collection[int] = ()) -> int | None:
    """The one that is better by most, and of equals the faster; none where none is better at all."""
    best: tuple[float, float, int] | None = None
    for number, one in found.items():
        named = {each.measure: each for each in one}
        if number in without or why_not(one, measure) is not None:
            continue
        if named[measure].difference <= SMALLEST_DIFFERENCE:
            continue
        slower = named[LATENCY].difference if LATENCY in named else 0.0
        rank = (named[measure].difference, -slower, -number)
        best = rank if best is None or rank > best else best
    return None if best is None else -best[2]


def is_better(confirmed: Sequence[Difference], measure: str) -> bool:
    """Whether the one that was chosen is significantly better on the questions that confirm. It is one comparison, of
    one that was named before: nothing is to be corrected."""
    better = any(each.measure == measure and each.verdict == "better" for each in confirmed)
    return better and why_not(confirmed, measure) is None


def words(
    names: Sequence[str],
    chosen: int | None,
    confirmed: Sequence[Difference],
    measure: str,
    without: Mapping[int, str] | None = None,
) -> str:
    """The verdict as a sentence or two, and which combinations were left out, and why."""
    left = "; ".join(f"{names[number]} ({why})" for number, why in sorted((without or {}).items()))
    return _decision(names, chosen, confirmed, measure) + (f" Left out: {left}." if left else "")


def _decision(names: Sequence[str], chosen: int | None, confirmed: Sequence[Difference], measure: str) -> str:
    served, tried = names[0], len(names) - 1
    if chosen is None:
        return f"Keep {served}: none of the {tried} other combinations was better by {measure} where one was to choose."
    name, why = names[chosen], why_not(confirmed, measure)
    if why is not None:
        return f"Keep {served}: {name} looked best of {tried}, but where it was confirmed {why}."
    decided, *others = _ordered(confirmed, measure)
    if not is_better(confirmed, measure):
        looked = f"{name} looked best of {tried}, but not on the questions that it was confirmed on"
        return f"Keep {served}: {looked}: {decided.words}."
    also = "".join(f"; {_said(each)}" for each in others if each.verdict != "no difference")
    return f"{name} instead of {served} is {decided.words}{also}."


def _said(one: Difference) -> str:
    if one.measure == LATENCY:
        return f"{'slower' if one.verdict == 'worse' else 'faster'}: {one.difference:+.0f} ms"
    return one.words


def _ordered(confirmed: Sequence[Difference], measure: str) -> list[Difference]:
    return sorted(confirmed, key=lambda each: (each.measure != measure, each.measure))


def _values(answered: Answered, measure: str) -> dict[str, float]:
    return {question: figures[measure] for question, (_, figures) in answered.items() if measure in figures}
