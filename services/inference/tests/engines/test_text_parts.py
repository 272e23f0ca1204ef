from __future__ import annotations

import itertools

import pytest

from inference.engines.errors import InputsTooLong
from inference.engines.text_parts import LEAST, text_parts


async def _fits(part: str) -> bool:
    return len(part) <= 500


async def test_a_text_that_fits_is_one_part() -> None:
    assert await text_parts("short", _fits) == ["short"]


async def test_parts_fit_and_two_neighbours_share_what_stands_where_they_were_cut() -> None:
    text = " ".join(f"word{number}" for number in range(1000))
    parts = await text_parts(text, _fits)
    assert all(len(part) <= 500 for part in parts)
    for one, next_one in itertools.pairwise(parts):
        assert any(one.endswith(next_one[:length]) for length in range(20, len(one)))


async def test_a_text_without_blanks_of_which_nothing_fits_comes_to_an_end() -> None:
    async def never(_: str) -> bool:
        return False

    assert all(len(part) <= LEAST for part in await text_parts("x" * 2000, never))
    with pytest.raises(InputsTooLong):
        await text_parts("x" * 100_000, never)
