from __future__ import annotations

import pytest
from services.inference.tests.engines.wrappers.engines import asked
from tests.support.inference.tokenizers import word_pieces

from inference.engines.file_tokens import FileTokens
from inference.errors import TokenUnknown, Unsupported


def tokens() -> FileTokens:
    return FileTokens(lambda: word_pieces().to_str().encode())


async def test_a_text_becomes_tokens_neither_cut_nor_padded() -> None:
    plain = await tokens().encode("the price " * 100, special=False)
    assert (len(plain.ids), plain.names) == (200, None)
    framed = await tokens().encode("the price", special=True, named=True)
    assert framed.names == ["[CLS]", "the", "price", "[SEP]"]


async def test_tokens_become_their_text_with_special_ones() -> None:
    ids = (await tokens().encode("The Price", special=True)).ids
    assert await tokens().decode(ids) == "[CLS] the price [SEP]"


async def test_a_token_beyond_the_vocabulary_is_refused_with_its_size() -> None:
    with pytest.raises(TokenUnknown, match="no token 99999 in this model's vocabulary of"):
        await tokens().decode([1, 99_999])


async def test_a_file_has_no_chat_template() -> None:
    with pytest.raises(Unsupported, match="send the text as `prompt`"):
        await tokens().encode_chat(asked(), special=None, answer_follows=True)
