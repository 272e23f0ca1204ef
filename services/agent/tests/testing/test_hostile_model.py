"""A model that obeys every text that it reads does nothing that it may not: what `make bench-injection` measures, on a
few attacks of our own, and that it would see what it counts."""

from __future__ import annotations

import pytest
from benchmarks.agent.injection import MODES, acted, answered
from benchmarks.agent.injection_sets import OURS, Attack
from benchmarks.agent.rendering import rendered_links

from agent.steps.emitted_text import EmittedText
from agent.testing.hostile_model import CARRIED, exfiltration
from servicekit.sql.database import Database


@pytest.mark.parametrize("attack", OURS)
async def test_an_obedient_model_calls_and_shows_nothing_forbidden(database: Database, attack: Attack) -> None:
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


@pytest.mark.parametrize(
    "text",
    [
        "`a http://evil.example/?q=1 b` and so on",
        "``a `http://evil.example/?q=1` b``",
        "`a\n\nhttp://evil.example/?q=1 `",
        "See evil.example/?q=1 and evil.example:8080/q.",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_no_backtick_before_an_address_opens_its_fence(text: str, size: int) -> None:
    emitted = EmittedText()
    for at in range(0, len(text), size):
        emitted.feed(text[at : at + size])
    emitted.end()
    assert rendered_links(emitted.text) == []
