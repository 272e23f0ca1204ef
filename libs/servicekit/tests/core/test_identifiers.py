from __future__ import annotations

from servicekit.core.identifiers import new_id


def test_ids_are_unique_and_carry_their_prefix() -> None:
    made = {new_id("doc") for _ in range(2000)}
    assert len(made) == 2000
    assert all(value.startswith("doc_") for value in made)
