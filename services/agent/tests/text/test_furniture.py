from __future__ import annotations

import pytest

from agent.text.furniture import is_furniture


@pytest.mark.parametrize(
    "text",
    [
        "2.7 Workout modes ..... 17",
        "3.1 Measuring blood pressure . . . . . . 10",
        '"Diary of a nomad" (https://www.example.org/sport/football/diary-of-a-nomad.html).',
        "Archived from the original on 4 April 2008.",
        "Retrieved 22 June 2020 via the library.",
    ],
)
def test_contents_references_and_links_say_nothing(text: str) -> None:
    assert is_furniture(text)


@pytest.mark.parametrize(
    "text",
    [
        "The watch supports 100 workout modes.",
        "Write to help@example.org or see https://example.org for how to send a bicycle back to the shop in its box.",
        "The papers were retrieved by the police.",
        "Wait... then press the button.",
    ],
)
def test_statements_are_none(text: str) -> None:
    assert not is_furniture(text)
