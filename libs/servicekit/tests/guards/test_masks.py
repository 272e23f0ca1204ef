"""A key's rules on questions and answers of chat, whole and streamed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from libs.servicekit.tests.guards.samples import AWS, GUARDS, PEM, PERSONAL

from servicekit.guards.masks import StreamMask, masked, named

LETTER = f"Dear {PERSONAL['email']}, pay {PERSONAL['iban']} with {PERSONAL['card']}.\n{PEM}\n"


TEXT = f"{LETTER}Call {PERSONAL['phone']} 再见 {AWS} now."


def _expected(text: str) -> str:
    for guard in GUARDS:
        text = masked(text, guard.find(text))
    return text


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
@settings(max_examples=200, deadline=None)
def test_a_stream_in_any_pieces_is_masked_like_the_whole_and_never_lets_a_beginning_out(sizes: list[int]) -> None:
    mask, out, at = StreamMask(GUARDS, ("secrets", "pii")), "", 0
    whole = _expected(TEXT)
    for size in sizes:
        out += mask.feed(TEXT[at : at + size])
        at += size
        assert whole.startswith(out)
    out += mask.feed(TEXT[at:]) + mask.end()
    assert out == whole
    assert len(out) == len(TEXT)


def test_plain_words_are_not_held_back_beyond_the_one_that_is_being_written() -> None:
    mask = StreamMask(GUARDS, ("pii",))
    assert [mask.feed(piece) for piece in ("The answer ", "is bl", "ue. ", "它是蓝色的。")] == [
        "The answer ",
        "is ",
        "blue. ",
        "它是蓝色的。",
    ]


def test_a_kind_stands_in_the_place_of_what_was_found() -> None:
    text = f"Mail {PERSONAL['email']}, pay with {PERSONAL['card']}."
    assert named(text, GUARDS[1].find(text)) == "Mail [email], pay with [card]."
    assert named("Nothing.", GUARDS[1].find("Nothing.")) == "Nothing."
