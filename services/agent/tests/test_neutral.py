"""Text from documents and models does nothing when it is shown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.neutral import neutralise, settled

BAD = st.sampled_from(
    [
        *("![a](http://evil/x.png)", "[t](http://evil)", "<img src=http://evil>", "<http://evil>", "[r][1]"),
        *("[1]: http://evil", "http://evil/?q=1", "www.evil.com", "javascript:alert(1)", "`", "[1]", "[^2]", "【3】"),
        *(" ", "\n", "word", "[", "](", ")", "!", "<"),
    ]
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("See ![logo](https://evil.example/a.png?d=1) now.", "See logo now."),
        ("See [the form](https://evil.example/f).", "See the form (`https://evil.example/f`)."),
        ("Go to https://intra.example/help, then ask.", "Go to `https://intra.example/help`, then ask."),
        ("Mail <facilities@osterfenn.example> please.", "Mail facilities@osterfenn.example please."),
        ("Below <5 m> it is 3 < 4.", "Below <5 m> it is 3 < 4."),
        ("<img src='https://evil.example/x'>Hello <b>you</b>", "Hello you"),
        ("It costs EUR 3 [1][2].", "It costs EUR 3."),
        ("[x]: https://evil.example/x", "`https://evil.example/x`"),
    ],
)
def test_images_links_tags_and_foreign_markers_become_words(text: str, shown: str) -> None:
    assert neutralise(text) == shown


@given(st.lists(BAD | st.text(alphabet="ab ()[]!<>`:", max_size=6), max_size=12).map("".join))
def test_no_markdown_image_link_or_bare_address_survives(text: str) -> None:
    _assert_harmless(neutralise(text))


@given(st.lists(BAD | st.text(alphabet="ab ()[]!<>`:", max_size=6), max_size=12).map("".join), st.integers(1, 7))
def test_what_is_sent_while_the_text_grows_is_as_harmless(text: str, size: int) -> None:
    sent, taken = "", 0
    for end in range(size, len(text) + size, size):
        grown = text[:end]
        cut = len(text) if end >= len(text) else max(taken, settled(grown))
        sent += neutralise(grown[taken:cut])
        taken = cut
    _assert_harmless(sent)


def _assert_harmless(shown: str) -> None:
    assert not re.search(r"\]\(|\]\[", shown)
    assert not re.search(r"<(?:img|https?:)", shown, re.IGNORECASE)
    outside = re.sub(r"`[^`\n]*`", "", shown)
    assert "http:" not in outside
    assert not re.search(r"(?<![a-z])www\.", outside)
    assert not re.search(r"(?<![a-z])javascript:", outside)
