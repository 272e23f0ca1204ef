from __future__ import annotations

import pytest

from servicekit.core.errors import InvalidRequest
from servicekit.web.headers import header_of, only_header_of

SCOPE = {"headers": [(b"accept", b"a"), (b"x-key", b"caf\xe9"), (b"accept", b"b"), (b"x-empty", b"")]}


def _doubt() -> InvalidRequest:
    return InvalidRequest("Which of them is meant?")


def test_of_several_headers_of_a_name_the_first_is_given() -> None:
    assert header_of(SCOPE, b"accept") == "a"


def test_bytes_beyond_ascii_are_read_as_latin_1_and_never_fail() -> None:
    assert header_of(SCOPE, b"x-key") == only_header_of(SCOPE, b"x-key", _doubt) == "café"


def test_an_empty_header_is_there_and_one_that_was_not_sent_is_not() -> None:
    for header in (header_of(SCOPE, b"x-empty"), only_header_of(SCOPE, b"x-empty", _doubt)):
        assert header == ""
    for header in (header_of(SCOPE, b"host"), only_header_of(SCOPE, b"host", _doubt)):
        assert header is None


@pytest.mark.parametrize("values", [(b"one", b"two"), (b"one", b"one"), (b"", b"one"), (b"", b"")])
def test_where_only_one_may_be_meant_two_are_refused_even_if_they_say_the_same(values: tuple[bytes, ...]) -> None:
    with pytest.raises(InvalidRequest, match="meant"):
        only_header_of({"headers": [(b"x-key", value) for value in values]}, b"x-key", _doubt)
