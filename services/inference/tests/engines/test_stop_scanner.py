from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inference.engines.stop_scanner import StopScanner

TEXT = st.text(alphabet="ab\n", max_size=30)


def test_a_stop_string_spread_over_pieces_is_found_and_never_shown() -> None:
    scanner = StopScanner(["END", "\n\n"])
    assert [scanner.feed(piece) for piece in ("one E", "N", "Emy E", "ND rest")] == ["one ", "", "ENEmy ", ""]
    assert scanner.found
    assert scanner.flush() == ""


def test_what_was_held_back_is_shown_at_the_end() -> None:
    scanner = StopScanner(["END"])
    assert scanner.feed("one EN") == "one "
    assert scanner.flush() == "EN"


@given(st.lists(TEXT, max_size=10), st.lists(st.text(alphabet="ab\n", min_size=1, max_size=4), max_size=3))
def test_however_the_text_is_cut_it_ends_where_the_first_stop_string_begins(
    pieces: list[str], stops: list[str]
) -> None:
    scanner = StopScanner(stops)
    shown = "".join(scanner.feed(piece) for piece in pieces) + scanner.flush()
    whole = "".join(pieces)
    if not any(stop in whole for stop in stops):
        assert shown == whole
        assert not scanner.found
    else:
        assert scanner.found
        assert whole.startswith(shown)
        assert any(whole[len(shown) :].startswith(stop) for stop in stops)
        assert not any(stop in shown for stop in stops)
