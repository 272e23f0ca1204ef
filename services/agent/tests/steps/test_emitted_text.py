from __future__ import annotations

import pytest
from benchmarks.agent.rendering import rendered_links

from agent.steps.emitted_text import EmittedText


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
