from __future__ import annotations

import time

import pytest

from servicekit.core.identifiers import new_id


def test_ids_are_unique_and_carry_their_prefix() -> None:
    made = {new_id("doc") for _ in range(2000)}
    assert len(made) == 2000
    assert all(value.startswith("doc_") for value in made)


def test_ids_sort_as_they_were_made_within_a_millisecond_too() -> None:
    made = [new_id("review") for _ in range(20_000)]
    assert made == sorted(made)
    assert {len(value) for value in made} == {len("review_") + 24}


def test_ids_go_on_growing_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_id("doc")
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    after = [new_id("doc") for _ in range(1000)]
    assert [before, *after] == sorted({before, *after})
