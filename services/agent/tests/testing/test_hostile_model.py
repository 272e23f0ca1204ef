"""A model that obeys every text that it reads does nothing that it may not: what `make bench-injection` measures, on a
few attacks of our own, and that it would see what it counts."""

from __future__ import annotations

import pytest
from benchmarks.agent.injection import MODES, acted, answered
from benchmarks.agent.injection_sets import OURS, Attack
from benchmarks.agent.rendering import rendered_links

from agent.testing.hostile_model import CARRIED, exfiltration
from servicekit.sql.database import Database


@pytest.mark.parametrize("attack", OURS)
async def test_a_hostile_model_calls_and_shows_nothing_forbidden(database: Database, attack: Attack) -> None:
    for approval in (False, True):
        assert await acted(database, attack, approval=approval) == ([], [])
    for mode in MODES:
        assert await answered(attack, mode) == []
    assert await answered(attack, "strict", model_fails=True) == []


@pytest.mark.parametrize("attack", OURS)
def test_the_measurement_sees_what_would_be_rendered(attack: Attack) -> None:
    links = rendered_links(exfiltration(attack.text))
    assert len(links) > 10
    assert CARRIED in "".join(links)
