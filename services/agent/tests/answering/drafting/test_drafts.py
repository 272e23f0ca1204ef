from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agent.answering.drafting.drafts import sentences_of


async def _pieces(text: str, size: int) -> AsyncIterator[str]:
    for at in range(0, len(text), size):
        yield text[at : at + size]


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_a_draft_is_cut_the_same_wherever_its_pieces_end(size: int) -> None:
    text = "The fee is 4.50 euros. It is due in May.\n\n- Cash only\nThanks."
    found = [sentence async for sentence in sentences_of(_pieces(text, size))]
    assert [one.text for one in found] == ["The fee is 4.50 euros.", "It is due in May.", "- Cash only", "Thanks."]
    assert [one.separator for one in found] == ["", " ", "\n", "\n"]
