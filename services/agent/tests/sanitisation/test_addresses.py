from __future__ import annotations

import pytest

from agent.sanitisation.addresses import addresses, as_code


@pytest.mark.parametrize(
    "word",
    [
        "https://evil.example/x",
        "www.evil.example",
        "evil.com",
        "mailto:a@b.example",
        "javascript:alert(1)",
        "//a.example",
        "_evil.com_",
        "__evil.com__",
    ],
)
def test_what_a_renderer_makes_a_link_of_is_found_whole(word: str) -> None:
    assert [word[begin:end] for begin, end in addresses(word)] == [word]


@pytest.mark.parametrize("word", ["3.5", "e.g.", "and/or", "v1.2.3", "Mr.", "12:30", "a@b"])
def test_an_ordinary_word_holds_none(word: str) -> None:
    assert list(addresses(word)) == []


def test_what_ends_a_sentence_stays_outside_the_code() -> None:
    assert as_code("https://a.example/x).") == ("`https://a.example/x`", ").")
    assert as_code("https://a.example/x_(y).") == ("`https://a.example/x_(y)`", ".")
