from __future__ import annotations

import pytest

from agent.text.furniture import are_contents, is_furniture


@pytest.mark.parametrize(
    "text",
    [
        "2.7 Workout modes ..... 17",
        "3.1 Measuring blood pressure . . . . . . 10",
        '"Diary of a nomad" (https://www.example.org/sport/football/diary-of-a-nomad.html).',
        "Archived from the original on 4 April 2008.",
        "Retrieved 22 June 2020 via the library.",
        "Retrieved 3 May 2020 from the archive.",
        "Smith, J. (2019). On kites. Accessed on May 3, 2020.",
        "Kite (toy), retrieved 2020-05-03.",
        "ISBN 978-3-16-148410-0",
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
        "Wait.... then press the button.",
        "Records are archived within 30 days, a rule that has held since 2021.",
        "Orders can be retrieved until 2025.",
        "Records accessed by staff after 2019 are logged.",
        "Orders retrieved on 3 May 2020 are paid back.",
        "Copies are made from the original on request.",
        "The ISBN is printed on the back.",
        "Coffee ........ 3.50",
        "Coffee ........ 3",
        "1.2 " + "A line of a table with dots in it that is no entry, as none is so long. " * 5 + "........ 17",
    ],
)
def test_statements_are_none(text: str) -> None:
    assert not is_furniture(text)


@pytest.mark.parametrize(
    ("line", "following", "contents"),
    [
        ("Workout modes ........ 17", "Measuring ........ 19", True),
        ("Workout modes . . . . . 17", "Measuring . . . . . 17", True),
        ("Workout modes ........ 17", "The watch has 100 workout modes.", False),
        ("Coffee ........ 3.50", "Tea ........ 4.20", False),
        ("Coffee ........ 3", "Tea ........ 2", False),
    ],
)
def test_lines_with_their_pages_in_order_are_contents(line: str, following: str, contents: bool) -> None:
    assert are_contents(line, following) is contents
